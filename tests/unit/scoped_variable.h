// Environment variables for the length of a test.
#pragma once

#include <stdlib.h>

#include <optional>
#include <string>

// Sets a variable, or unsets it for nullopt; restores it at the end of the scope.
class ScopedVariable {
  public:
    ScopedVariable(const char* name, const std::optional<std::string>& value) : name_(name) {
        if (const char* old = getenv(name)) old_ = old;
        assign(value);
    }
    ~ScopedVariable() { assign(old_); }
    ScopedVariable(const ScopedVariable&) = delete;
    ScopedVariable& operator=(const ScopedVariable&) = delete;

  private:
    void assign(const std::optional<std::string>& value) {
        if (value) {
            setenv(name_, value->c_str(), 1);
        } else {
            unsetenv(name_);
        }
    }

    const char* name_;
    std::optional<std::string> old_;
};
