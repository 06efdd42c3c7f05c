# Writes OUTPUT, a C++ file that holds every RECORDS/*.jsonl as a string of lines.
# cmake -DRECORDS=dir -DOUTPUT=file -P embed.cmake
file(GLOB files ${RECORDS}/*.jsonl)
list(SORT files)
set(text "#include \"tune/store.h\"\n\nnamespace sagejit {\nnamespace {\n\n")
string(APPEND text "constexpr std::string_view kLines =\n    \"\"")
foreach(file IN LISTS files)
  file(READ ${file} lines)
  if(NOT lines MATCHES "\n$")
    string(APPEND lines "\n")  # the next file begins a line of its own
  endif()
  string(APPEND text "\n    R\"sagejit_rows(${lines})sagejit_rows\"")
endforeach()
string(APPEND text ";\n\n}  // namespace\n\n")
string(APPEND text "std::string_view shipped_record_lines() { return kLines; }\n\n")
string(APPEND text "}  // namespace sagejit\n")
file(WRITE ${OUTPUT} "${text}")
