# Warnings, sanitizers and hardening live in one interface target that every target links.
add_library(xpcs_options INTERFACE)
target_include_directories(xpcs_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(
  xpcs_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wnon-virtual-dtor
                         -Wimplicit-fallthrough>
                         $<$<AND:$<BOOL:${XPCS_WERROR}>,$<COMPILE_LANGUAGE:CXX>>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlapping copies in std::string's operator+ (its bug 105651).
  target_compile_options(xpcs_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
# Hardening of what people run; sanitizers and coverage want the code as it is. For C++ alone: nvcc
# would hand the flags on to more than the host's compiler. jobgen and portal, which face the network
# and other people's text, check indices as well (XPCS_CHECKED_LIBRARY).
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT XPCS_SANITIZE)
  include(CheckCXXCompilerFlag)
  include(CheckPIESupported)
  check_pie_supported(LANGUAGES CXX)
  target_compile_definitions(xpcs_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:_FORTIFY_SOURCE=2>)
  foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection)
    string(MAKE_C_IDENTIFIER "XPCS_HAS_${flag}" known)
    check_cxx_compiler_flag(${flag} ${known})
    if(${known})
      target_compile_options(xpcs_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${flag}>)
    endif()
  endforeach()
  target_link_options(xpcs_options INTERFACE $<HOST_LINK:-zrelro,-znow,-znoexecstack>)
  set(XPCS_CHECKED_LIBRARY _GLIBCXX_ASSERTIONS)
endif()
if(XPCS_SANITIZE)
  target_compile_options(xpcs_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${XPCS_SANITIZE}
                                                -fno-omit-frame-pointer -fno-sanitize-recover=all>)
  target_link_options(xpcs_options INTERFACE -fsanitize=${XPCS_SANITIZE})
endif()

# xpcs_in_batches(TARGET SIZE): SIZE source files to a compilation, where headers and the templates they
# bring are most of the work. Not for kernels: what is inlined there stays as its file has it. In such
# targets, names of unnamed namespaces and of `using` must differ between files.
function(xpcs_in_batches target size)
  if(XPCS_BATCHES)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${size})
    # The sources are included files then, and GCC warns of what unnamed namespaces have in headers.
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
    endif()
  endif()
endfunction()

# The commit of the build, for --version and the provenance of results.
find_package(Git QUIET)
set(XPCS_COMMIT "unknown")
if(GIT_FOUND)
  execute_process(
    COMMAND ${GIT_EXECUTABLE} describe --always --dirty --abbrev=12
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    OUTPUT_VARIABLE XPCS_COMMIT_FOUND
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
    RESULT_VARIABLE XPCS_COMMIT_RC)
  if(XPCS_COMMIT_RC EQUAL 0)
    set(XPCS_COMMIT ${XPCS_COMMIT_FOUND})
  endif()
  # A new commit configures anew; otherwise results would name the commit of the first build.
  execute_process(
    COMMAND ${GIT_EXECUTABLE} rev-parse --git-path logs/HEAD
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    OUTPUT_VARIABLE XPCS_HEAD_LOG
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  get_filename_component(XPCS_HEAD_LOG "${XPCS_HEAD_LOG}" ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
  if(EXISTS "${XPCS_HEAD_LOG}" AND NOT IS_DIRECTORY "${XPCS_HEAD_LOG}")
    set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${XPCS_HEAD_LOG}")
  endif()
endif()

if(XPCS_CUDA)
  # Real code for A100 and H100/H200, PTX of both for what comes later.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80 90)
  endif()
  enable_language(CUDA)
  # CMake 3.25 does not know yet that nvcc takes C++20 from version 12 on.
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  endif()
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
endif()

