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
pkg_check_modules(openssl REQUIRED IMPORTED_TARGET openssl)
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

# mal_proto(name [DIR dir] [NO_API] [DEPS targets…]): every .proto in
# proto/mal/<name>/v1 (or DIR) as protobuf-c code, mal_<name>_pb, and, but for
# NO_API, what protoc-gen-mal makes of them: the rule tables, rpc rows and client
# stubs as mal_<name>_api; the dispatch as ${mal_<name>_server} in the caller's
# scope, a source of the service itself, for table and handlers refer to each
# other.
function(mal_proto name)
  cmake_parse_arguments(arg "NO_API" "DIR" "DEPS" ${ARGN})
  if(NOT arg_DIR)
    set(arg_DIR mal/${name}/v1)
  endif()
  file(GLOB files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/proto
       ${CMAKE_SOURCE_DIR}/proto/${arg_DIR}/*.proto)
  list(REMOVE_ITEM files mal/v1/options.proto)
  list(TRANSFORM files PREPEND ${CMAKE_SOURCE_DIR}/proto/ OUTPUT_VARIABLE paths)
  list(TRANSFORM files REPLACE "\\.proto$" ".pb-c.c" OUTPUT_VARIABLE sources)
  list(TRANSFORM sources PREPEND ${MAL_GEN_DIR}/)
  list(TRANSFORM sources REPLACE "c$" "h" OUTPUT_VARIABLE headers)
  file(MAKE_DIRECTORY ${MAL_GEN_DIR})
  add_custom_command(
    OUTPUT ${sources} ${headers}
    COMMAND protoc -I${CMAKE_SOURCE_DIR}/proto -I/usr/include --c_out=${MAL_GEN_DIR} ${files}
    DEPENDS ${paths} ${mal_proto_options}
    COMMENT "protoc ${name}" VERBATIM)
  add_library(mal_${name}_pb STATIC ${sources} ${headers})
  target_include_directories(mal_${name}_pb SYSTEM PUBLIC ${MAL_GEN_DIR})
  target_link_libraries(mal_${name}_pb PUBLIC PkgConfig::protobuf_c ${arg_DEPS})
  target_compile_options(mal_${name}_pb PRIVATE -w)
  if(arg_NO_API)
    return()
  endif()

  set(base ${MAL_GEN_DIR}/${arg_DIR}/${name})
  add_custom_command(
    OUTPUT ${base}.api.c ${base}.api.h ${base}.server.c ${base}.server.h
    COMMAND protoc -I${CMAKE_SOURCE_DIR}/proto -I/usr/include
            --plugin=protoc-gen-mal=$<TARGET_FILE:protoc-gen-mal>
            --mal_out=lock=${mal_lock}:${MAL_GEN_DIR} ${files}
    DEPENDS ${paths} ${mal_proto_options} ${mal_lock_file} protoc-gen-mal
    COMMENT "protoc-gen-mal ${name}" VERBATIM)
  add_library(mal_${name}_api STATIC ${base}.api.c ${base}.api.h ${base}.server.h)
  target_link_libraries(mal_${name}_api PUBLIC mal_${name}_pb mal_wire mal_bus)
  add_custom_target(mal_${name}_gen DEPENDS ${base}.api.c ${base}.server.c)
  add_dependencies(mal_${name}_api mal_${name}_gen)
  set(mal_${name}_server ${base}.server.c PARENT_SCOPE)
endfunction()

# mal_sql(target dir): every dir/*.sql as <noun>.sql.{c,h} and dir/migrations/*
# as migrations.sql.{c,h}, compiled into target.
function(mal_sql target dir)
  file(GLOB sql CONFIGURE_DEPENDS ${dir}/*.sql)
  get_filename_component(name ${dir} NAME)
  string(REPLACE - _ name ${name})
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
