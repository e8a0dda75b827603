# What every folder's CMakeLists.txt uses: the compiler's settings, the libraries
# found through pkg-config, and functions for our kinds of targets.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(protobuf_c REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(nats REQUIRED IMPORTED_TARGET libnats)
pkg_check_modules(pq REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(curl REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(check REQUIRED IMPORTED_TARGET check)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(MAL_GEN_DIR ${CMAKE_BINARY_DIR}/gen)
set(SAN "" CACHE STRING "Sanitizers, as for -fsanitize; empty = none")

add_compile_options(
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings
  -Wformat=2 -Werror -fno-strict-aliasing -fstack-protector-strong)
add_compile_definitions(_GNU_SOURCE)

# From here on everything is instrumented.
macro(mal_sanitize)
  if(SAN)
    add_compile_options(-fsanitize=${SAN} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${SAN})
  endif()
endmacro()

# mal_library(name [DEPS targets…]): lib/<name>/*.c as mal_<name>.
function(mal_library name)
  cmake_parse_arguments(arg "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  if(sources)
    add_library(mal_${name} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(mal_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(mal_${name} ${scope} ${CMAKE_SOURCE_DIR}/lib)
  target_compile_options(mal_${name} ${scope} -include ${CMAKE_SOURCE_DIR}/lib/base/banned.h)
  target_link_libraries(mal_${name} ${scope} ${arg_DEPS} Threads::Threads)
endfunction()

# mal_proto(path…): <path>.proto below proto/ as protobuf-c code, compiled into
# mal_<name>_pb; with API also the tables of protoc-gen-mal.
#   mal_proto(NAME catalog API mal/catalog/v1/catalog FILES mal/catalog/v1/events)
function(mal_proto)
  cmake_parse_arguments(arg "" "NAME;API" "FILES;DEPS" ${ARGN})
  set(sources)
  foreach(path ${arg_API} ${arg_FILES})
    get_filename_component(dir ${path} DIRECTORY)
    add_custom_command(
      OUTPUT ${MAL_GEN_DIR}/${path}.pb-c.c ${MAL_GEN_DIR}/${path}.pb-c.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${MAL_GEN_DIR}
      COMMAND protoc -I${CMAKE_SOURCE_DIR}/proto -I/usr/include --c_out=${MAL_GEN_DIR}
              ${path}.proto
      DEPENDS ${CMAKE_SOURCE_DIR}/proto/${path}.proto ${mal_proto_options}
      COMMENT "protoc ${path}" VERBATIM)
    list(APPEND sources ${MAL_GEN_DIR}/${path}.pb-c.c)
  endforeach()
  add_library(mal_${arg_NAME}_pb STATIC ${sources})
  target_include_directories(mal_${arg_NAME}_pb SYSTEM PUBLIC ${MAL_GEN_DIR})
  target_link_libraries(mal_${arg_NAME}_pb PUBLIC PkgConfig::protobuf_c ${arg_DEPS})
  target_compile_options(mal_${arg_NAME}_pb PRIVATE -w)

  if(arg_API)
    set(out)
    foreach(kind api server)
      list(APPEND out ${MAL_GEN_DIR}/${arg_API}.${kind}.c ${MAL_GEN_DIR}/${arg_API}.${kind}.h)
    endforeach()
    set(protos)
    foreach(path ${arg_API} ${arg_FILES})
      list(APPEND protos ${path}.proto)
    endforeach()
    list(TRANSFORM protos PREPEND ${CMAKE_SOURCE_DIR}/proto/ OUTPUT_VARIABLE proto_files)
    add_custom_command(
      OUTPUT ${out}
      COMMAND protoc -I${CMAKE_SOURCE_DIR}/proto -I/usr/include
              --plugin=protoc-gen-mal=$<TARGET_FILE:protoc-gen-mal>
              --mal_out=lock=${CMAKE_SOURCE_DIR}/api/proto.lock:${MAL_GEN_DIR} ${protos}
      DEPENDS ${proto_files} ${mal_proto_options} protoc-gen-mal
      COMMENT "protoc-gen-mal ${arg_NAME}" VERBATIM)
    add_library(mal_${arg_NAME}_api STATIC ${MAL_GEN_DIR}/${arg_API}.api.c)
    target_link_libraries(mal_${arg_NAME}_api PUBLIC mal_${arg_NAME}_pb mal_wire mal_bus)
    # Sources of the service itself: table and handlers refer to each other.
    set(mal_${arg_NAME}_server ${MAL_GEN_DIR}/${arg_API}.server.c PARENT_SCOPE)
    add_custom_target(mal_${arg_NAME}_gen DEPENDS ${out})
    add_dependencies(mal_${arg_NAME}_api mal_${arg_NAME}_gen)
  endif()
endfunction()

# mal_sql(target dir): every dir/*.sql as <noun>.sql.{c,h} and dir/migrations/*
# as migrations.sql.{c,h}, compiled into target.
function(mal_sql target dir)
  file(GLOB sql CONFIGURE_DEPENDS ${dir}/*.sql)
  get_filename_component(name ${dir} NAME)
  set(gen ${MAL_GEN_DIR}/sql/${name})
  file(MAKE_DIRECTORY ${gen})
  foreach(file ${sql})
    get_filename_component(noun ${file} NAME_WE)
    add_custom_command(
      OUTPUT ${gen}/${noun}.sql.c ${gen}/${noun}.sql.h
      COMMAND sqlgen queries ${file} ${gen}/${noun}.sql
      DEPENDS ${file} sqlgen COMMENT "sqlgen ${name}/${noun}" VERBATIM)
    target_sources(${target} PRIVATE ${gen}/${noun}.sql.c ${gen}/${noun}.sql.h)
  endforeach()
  file(GLOB migrations CONFIGURE_DEPENDS ${dir}/migrations/*.sql)
  if(migrations)
    add_custom_command(
      OUTPUT ${gen}/migrations.sql.c ${gen}/migrations.sql.h
      COMMAND sqlgen migrations ${name} ${dir}/migrations ${gen}/migrations.sql
      DEPENDS ${migrations} sqlgen COMMENT "sqlgen ${name}/migrations" VERBATIM)
    target_sources(${target} PRIVATE ${gen}/migrations.sql.c ${gen}/migrations.sql.h)
  endif()
  target_include_directories(${target} SYSTEM PUBLIC ${gen})
endfunction()
