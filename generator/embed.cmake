# Writes OUTPUT, a C++ file that holds every template under TEMPLATES as a string.
# cmake -DTEMPLATES=dir -DOUTPUT=file -P embed.cmake
file(GLOB_RECURSE files RELATIVE ${TEMPLATES} ${TEMPLATES}/*.cuh)
list(SORT files)
set(text "#include \"templates.h\"\n\nnamespace sagejit {\nnamespace {\n\n")
string(APPEND text "constexpr Template kTemplates[] = {\n")
foreach(name IN LISTS files)
  file(READ ${TEMPLATES}/${name} body)
  # A string literal may be limited to 65536 characters; fragments are far smaller.
  string(APPEND text "    {\"${name}\", R\"sagejit_cuh(${body})sagejit_cuh\"},\n")
endforeach()
string(APPEND text "};\n\n}  // namespace\n\n")
string(APPEND text "std::span<const Template> all_templates() { return kTemplates; }\n\n")
string(APPEND text "}  // namespace sagejit\n")
file(WRITE ${OUTPUT} "${text}")
