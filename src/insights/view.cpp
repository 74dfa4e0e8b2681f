#include "insights/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "json/dom.h"

namespace hogflare::insights {
namespace {

// Members that change how an answer is drawn, never its numbers.
constexpr std::string_view kDisplayOnly[] = {"kind",
                                             "name",
                                             "custom_name",
                                             "tags",
                                             "version",
                                             "dataColorTheme",
                                             "response",
                                             "showLegend",
                                             "showValuesOnSeries",
                                             "showPercentStackView",
                                             "showLabelsOnSeries",
                                             "showAlertThresholdLines",
                                             "showMultipleYAxes",
                                             "yAxisScaleType",
                                             "goalLines",
                                             "hiddenLegendIndexes",
                                             "hiddenLegendKeys",
                                             "hiddenLegendBreakdowns",
                                             "resultCustomizations",
                                             "resultCustomizationBy",
                                             "aggregationAxisFormat",
                                             "aggregationAxisPrefix",
                                             "aggregationAxisPostfix",
                                             "decimalPlaces",
                                             "minDecimalPlaces",
                                             "confidenceLevel",
                                             "showConfidenceIntervals",
                                             "showTrendLines",
                                             "showMovingAverage",
                                             "layout",
                                             "toggledLifecycles",
                                             "stacked",
                                             "retentionReference",
                                             "meanRetentionCalculation",
                                             "dashboardDisplay",
                                             "showMean",
                                             "short_id",
                                             "id_label",
                                             "full",
                                             "embedded",
                                             "showHeader",
                                             "showTable",
                                             "showFilters",
                                             "showCorrelationTable",
                                             "showLastComputation",
                                             "showResults",
                                             "suppressSessionAnalysisWarning",
                                             "hidePersonsModal",
                                             "useSmallLayout",
                                             "hideInlineTransformation",
                                             "detailedResultsAggregationType",
                                             "breakdownSorting",
                                             "funnelStepReference",
                                             "excludeBoxPlotOutliers",
                                             "selectedInterval",
                                             "order",
                                             "sortOrder",
                                             "sorting",
                                             "math_property_name",
                                             "vizSpecificOptions",
                                             "minimumViewport"};

std::string child_path(const std::string& parent, std::string_view key) {
  return parent.empty() ? std::string(key) : fmt::format("{}.{}", parent, key);
}

}  // namespace

std::optional<double> number_in_text(std::string_view text) {
  if (text.empty() || text.size() > 64 ||
      text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) {
    return std::nullopt;
  }
  const Json value = json::dom_of<Json>(text);
  if (!value.is_number() || !std::isfinite(value.get<double>())) return std::nullopt;
  return value.get<double>();
}

const Json& View::json() const {
  static const Json kNull;
  return value_ == nullptr ? kNull : *value_;
}

View View::operator[](std::string_view key) const {
  const Json* member = nullptr;
  if (is_object()) {
    const auto found = value_->find(std::string(key));
    if (found != value_->end()) member = &*found;
  }
  return View(member, child_path(path_, key), refusals_);
}

std::vector<View> View::items() const {
  std::vector<View> out;
  if (!given()) return out;
  if (!value_->is_array()) {
    refuse("must be a list");
    return out;
  }
  for (size_t i = 0; i < value_->size(); ++i) {
    out.emplace_back(&(*value_)[i], child_path(path_, fmt::format("{}", i)), refusals_);
  }
  return out;
}

std::string View::text(std::string_view fallback) const {
  return optional_text().value_or(std::string(fallback));
}

std::optional<std::string> View::optional_text() const {
  if (!given()) return std::nullopt;
  if (!value_->is_string()) {
    refuse("must be a text");
    return std::nullopt;
  }
  std::string out = value_->get<std::string>();
  if (out.find('\0') != std::string::npos) {
    refuse("holds a NUL character, which no engine can compare with");
    return std::nullopt;
  }
  return out;
}

bool View::flag(bool fallback) const {
  if (!given()) return fallback;
  if (!value_->is_boolean()) {
    refuse("must be true or false");
    return fallback;
  }
  return value_->get<bool>();
}

int64_t View::integer(int64_t fallback, Bounds bounds) const {
  if (!given()) return fallback;
  const std::optional<double> value = number();
  if (!value) return fallback;
  if (*value != std::floor(*value) || *value < static_cast<double>(bounds.low) ||
      *value > static_cast<double>(bounds.high)) {
    refuse(fmt::format("must be a whole number from {} to {}", bounds.low, bounds.high));
    return fallback;
  }
  return static_cast<int64_t>(*value);
}

std::optional<double> View::number() const {
  if (!given()) return std::nullopt;
  if (!value_->is_number()) {
    refuse("must be a number");
    return std::nullopt;
  }
  return value_->get<double>();
}

std::string View::one_of(std::initializer_list<std::string_view> allowed) const {
  if (!given()) return std::string(*allowed.begin());
  const std::string out = text();
  if (std::find(allowed.begin(), allowed.end(), out) != allowed.end()) return out;
  std::string names;
  for (std::string_view one : allowed) names += (names.empty() ? "" : ", ") + std::string(one);
  refuse(fmt::format("'{}' is not done here; one of {}", out, names));
  return std::string(*allowed.begin());
}

void View::only(std::initializer_list<std::string_view> done) const {
  if (!given()) return;
  if (!value_->is_object()) return refuse("must be an object");
  for (auto it = value_->begin(); it != value_->end(); ++it) {
    const std::string& key = it.key();
    if (it->is_null()) continue;
    if (std::find(done.begin(), done.end(), key) != done.end()) continue;
    if (std::find(std::begin(kDisplayOnly), std::end(kDisplayOnly), key) !=
        std::end(kDisplayOnly)) {
      continue;
    }
    (*this)[key].refuse("is not done here");
  }
}

void View::refuse_if_given(std::string sentence) const {
  if (!given()) return;
  if (value_->is_boolean() && !value_->get<bool>()) return;
  if ((value_->is_array() || value_->is_object()) && value_->empty()) return;
  refuse(std::move(sentence));
}

}  // namespace hogflare::insights
