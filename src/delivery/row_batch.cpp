#include "hogflare/delivery.h"

namespace hogflare {

std::string& RowBatch::buffer() {
  // The separator stands before the row, so that a slice of rows needs no editing.
  const size_t begin = begin_of(size());
  if (bytes_.size() < begin) bytes_ += ',';
  return bytes_;
}

Result<Ok> RowBatch::end_row() {
  const size_t begin = begin_of(size());
  HF_ASSERT(bytes_.size() > begin);
  const size_t row_bytes = bytes_.size() - begin;
  if (row_bytes > limits::kRowBytesMax) {
    cancel_row();
    return Error(ErrorCode::kEventTooLarge, "the row has " + std::to_string(row_bytes) +
                                                " bytes; the sink takes at most " +
                                                std::to_string(limits::kRowBytesMax));
  }
  HF_ASSERT(bytes_.size() <= UINT32_MAX);
  ends_.push_back(static_cast<uint32_t>(bytes_.size()));
  return Ok{};
}

void RowBatch::cancel_row() { bytes_.resize(ends_.empty() ? 0 : ends_.back()); }

Result<Ok> RowBatch::append(std::string_view row) {
  buffer() += row;
  return end_row();
}

std::string_view RowBatch::row(uint32_t index) const {
  HF_ASSERT(index < size());
  const size_t begin = begin_of(index);
  return std::string_view(bytes_).substr(begin, ends_[index] - begin);
}

size_t RowBatch::array_bytes(uint32_t first, uint32_t last) const {
  HF_ASSERT(first < last && last <= size());
  return ends_[last - 1] - begin_of(first) + 2;
}

std::string RowBatch::array(uint32_t first, uint32_t last) const {
  const size_t bytes = array_bytes(first, last);
  std::string out;
  out.reserve(bytes);
  out += '[';
  out.append(bytes_, begin_of(first), bytes - 2);
  out += ']';
  return out;
}

}  // namespace hogflare
