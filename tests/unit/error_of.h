// The error a call throws.
#pragma once

#include <catch2/catch.hpp>

#include "sagejit/generator/error.h"

// Calls the function, which must throw a sagejit::Error, and returns it.
template <typename Function>
sagejit::Error error_of(Function function) {
    try {
        function();
    } catch (const sagejit::Error& error) {
        return error;
    }
    FAIL("no error was thrown");
    return sagejit::Error(sagejit::ErrorCode::kInternal, "");
}
