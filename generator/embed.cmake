# Writes OUTPUT, a C++ file that holds every template under TEMPLATES as a string, and a hash of all
# that decides what is emitted: the templates and the C++ under GENERATOR.
# cmake -DTEMPLATES=dir -DGENERATOR=dir -DOUTPUT=file -P embed.cmake
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

# Names and contents, in order; not where the directories are.
set(digests "")
foreach(root IN ITEMS ${TEMPLATES} ${GENERATOR})
  file(GLOB_RECURSE deciding RELATIVE ${root} ${root}/*.cuh ${root}/*.cpp ${root}/*.h)
  list(SORT deciding)
  foreach(name IN LISTS deciding)
    file(SHA256 ${root}/${name} digest)
    string(APPEND digests "${name} ${digest}\n")
  endforeach()
endforeach()
string(SHA256 identity "${digests}")
string(SUBSTRING ${identity} 0 16 identity)
string(REPLACE "}  // namespace sagejit\n"
       "std::string_view deciding_sources_hash() { return \"${identity}\"; }\n\n}  // namespace sagejit\n"
       text "${text}")
file(WRITE ${OUTPUT} "${text}")
