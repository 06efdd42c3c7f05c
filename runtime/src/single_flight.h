// Making something once for all who want it at the same time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <utility>

#include "background.h"
#include "sagejit/generator/error.h"

namespace sagejit {

// How long a caller waits.
struct Patience {
    std::optional<std::chrono::steady_clock::time_point> deadline;
    std::stop_token stop;

    bool is_endless() const { return !deadline && !stop.stop_possible(); }
    // Throws Error(kCancelled) once it is over.
    void check() const {
        if (stop.stop_requested()) {
            throw Error(ErrorCode::kCancelled, "preparing was stopped by its stop token");
        }
        if (deadline && std::chrono::steady_clock::now() >= *deadline) {
            throw Error(ErrorCode::kCancelled, "preparing did not end before its deadline", "",
                        "prepare earlier, or with a later deadline");
        }
    }
};

// The flights of one kind, by key. Callers of the same key at the same time share one run of
// `make`, and its result or error. A caller whose patience ends leaves with Error(kCancelled);
// when all have left, the flight is asked to stop and is forgotten, so that the next caller starts
// another.
template <typename Value>
class SingleFlight {
  public:
    using Make = std::function<Value(std::stop_token)>;

    // Callers with endless patience run `make` themselves; for others a thread of its own does.
    // first: whether this call's `make` was the one that ran.
    Value run(const std::string& key, const Patience& patience, const Make& make, bool& first) {
        patience.check();
        const std::shared_ptr<Flight> flight = join(key, first);
        if (first && patience.is_endless()) {
            fly(key, *flight, make, {});  // never abandoned: this caller stays
        } else if (first) {
            start(key, flight, make);
        }
        return wait(key, flight, patience);
    }

  private:
    struct Flight {
        std::mutex mutex;
        std::condition_variable_any landed;
        bool done = false;
        std::optional<Value> value;
        std::exception_ptr error;
        std::stop_source abandoned;
        int travellers = 0;  // guarded by the mutex of all flights
    };

    std::shared_ptr<Flight> join(const std::string& key, bool& first) {
        const std::lock_guard lock(mutex_);
        std::shared_ptr<Flight>& flight = flights_[key];
        first = flight == nullptr;
        if (first) flight = std::make_shared<Flight>();
        ++flight->travellers;
        return flight;
    }

    void start(const std::string& key, const std::shared_ptr<Flight>& flight, const Make& make) {
        try {
            run_in_background(flight->abandoned, [this, key, flight, make] {
                fly(key, *flight, make, flight->abandoned.get_token());
            });
        } catch (...) {  // no thread to be had
            land(key, *flight, {}, std::current_exception());
        }
    }

    void fly(const std::string& key, Flight& flight, const Make& make, std::stop_token stop) {
        std::optional<Value> value;
        std::exception_ptr error;
        try {
            value.emplace(make(std::move(stop)));
        } catch (...) {
            error = std::current_exception();
        }
        land(key, flight, std::move(value), error);
    }

    void land(const std::string& key, Flight& flight, std::optional<Value> value,
              std::exception_ptr error) {
        remove(key, flight);
        const std::lock_guard lock(flight.mutex);
        flight.value = std::move(value);
        flight.error = std::move(error);
        flight.done = true;
        flight.landed.notify_all();
    }

    Value wait(const std::string& key, const std::shared_ptr<Flight>& flight,
               const Patience& patience) {
        {
            std::unique_lock lock(flight->mutex);
            const auto done = [&] { return flight->done; };
            if (patience.deadline) {
                flight->landed.wait_until(lock, patience.stop, *patience.deadline, done);
            } else {
                flight->landed.wait(lock, patience.stop, done);
            }
            if (flight->done) {
                if (flight->error) std::rethrow_exception(flight->error);
                return *flight->value;
            }
        }
        leave(key, *flight);
        patience.check();
        throw Error(ErrorCode::kInternal, "waiting ended for no reason");
    }

    void leave(const std::string& key, Flight& flight) {
        const std::lock_guard lock(mutex_);
        if (--flight.travellers > 0) return;
        erase(key, flight);
        flight.abandoned.request_stop();
    }

    void remove(const std::string& key, const Flight& flight) {
        const std::lock_guard lock(mutex_);
        erase(key, flight);
    }

    void erase(const std::string& key, const Flight& flight) {
        const auto found = flights_.find(key);
        if (found != flights_.end() && found->second.get() == &flight) flights_.erase(found);
    }

    std::mutex mutex_;
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
};

}  // namespace sagejit
