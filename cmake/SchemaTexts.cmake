# A header of schemas/*.json: the fields of each stream as JSON text, for clients that ask what there
# is (src/http/mcp_resources.cpp).
set(schema_header "// Made of schemas/ by cmake/SchemaTexts.cmake.\n#pragma once\n\n#include <string_view>\n\nnamespace hogflare {\n\nstruct SchemaText {\n  std::string_view table;\n  std::string_view fields;  // {\"fields\": [{\"name\", \"type\", \"required\"}]}\n};\n\ninline constexpr SchemaText kSchemaTexts[] = {\n")
foreach(stream events persons distinct_ids rejects)
  set(schema_json "${CMAKE_SOURCE_DIR}/schemas/${stream}.json")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${schema_json}")
  file(READ "${schema_json}" schema_text)
  string(REGEX REPLACE "[ \n]+" " " schema_text "${schema_text}")
  string(APPEND schema_header "    {\"${stream}\", R\"json(${schema_text})json\"},\n")
endforeach()
string(APPEND schema_header "};\n\n}  // namespace hogflare\n")
file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/generated/schema_texts.h" CONTENT "${schema_header}" @ONLY)
