// What keeps exceptions on the C++ side of the C API.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "sagejit.h"
#include "sagejit/generator/error.h"

namespace sagejit::c {

// Remember this thread's last failure and return its status. Throw nothing: where there is no
// memory for the texts, the status alone is kept.
sagejit_status fail(const Error& error) noexcept;
sagejit_status fail(sagejit_status status, const char* message) noexcept;

// Runs the body of an API function and turns what it throws into a status.
template <typename Body>
sagejit_status guarded(Body&& body) noexcept {
    try {
        std::forward<Body>(body)();
        return SAGEJIT_OK;
    } catch (const Error& error) {
        return fail(error);
    } catch (const std::bad_alloc&) {
        return fail(SAGEJIT_OUT_OF_MEMORY, "the process is out of memory");
    } catch (const std::exception& error) {
        return fail(SAGEJIT_INTERNAL, error.what());
    } catch (...) {
        return fail(SAGEJIT_INTERNAL, "an exception of unknown type");
    }
}

// Throws Error(kInvalidArgument).
[[noreturn]] void refuse(std::string where, std::string message, std::string fix = {});

// Throws unless the pointer of that argument is set.
template <typename T>
T* required(T* pointer, const char* name) {
    if (pointer == nullptr) refuse(name, "expected a pointer, got NULL");
    return pointer;
}

}  // namespace sagejit::c
