#include "registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <utility>

#include "background.h"
#include "bundle/linked.h"
#include "cache_directory.h"
#include "fork_safe.h"
#include "kernel_table.h"
#include "single_flight.h"
#include "spec_key.h"
#include "warning.h"

namespace sagejit {
namespace {

// Read by launches. A forked child reads its parent's: what launches there is told that the driver
// is lost.
KernelTable& kernels() {
    static KernelTable* const instance = new KernelTable;  // threads may launch during the exit
    return *instance;
}

using Flights = SingleFlight<Kernel>;

std::filesystem::path directory_of(const PrepareOptions& options) {
    return options.cache_directory.empty() ? default_cache_directory() : options.cache_directory;
}

// All that a kernel comes from besides spec and device: when to give up is no part of it, the
// bundles linked at this moment are.
std::string source_of(const PrepareOptions& options) {
    std::string text = fmt::format("{} {} {}", to_string(options.policy), options.host_seed,
                                   directory_of(options).string());
    if (options.allow_slow_code) text += " slow code";
    if (options.use_tuning) text += " tuned";
    // Sizes of one bucket get the same plan.
    if (options.use_tuning && options.shape) text += " " + to_text(bucket_of(*options.shape));
    // Bad ones too: what becomes of them is for those who search. Names need not be unique.
    visit_linked_bundles([&text](const Bundle* bundle, const std::string& name,
                                 const std::string& problem) {
        text +=
            fmt::format("\nlinked {} {}", bundle != nullptr ? bundle->checksum() : problem, name);
        return false;
    });
    for (const Bundle& bundle : options.bundles) {
        text += fmt::format("\nopened {} {}", bundle.checksum(), bundle.origin());
    }
    return text;
}

void keep(const Spec& spec, const Device& device, const ShapeBucket& bucket, const Kernel& kernel,
          std::string source) {
    kernels().replace({spec, device.ordinal(), bucket},
                      std::make_unique<const KernelTable::Prepared>(
                          KernelTable::Prepared{kernel, std::move(source)}));
}

Device device_of(const KernelTable::Key& key) {
    return key.ordinal < 0 ? Device::host() : Device::cuda(key.ordinal);
}

// Kernels of the host device are not tuned: all sizes get one.
ShapeBucket bucket_on(const Device& device, const Shape& shape) {
    return device.is_host() ? ShapeBucket{} : bucket_of(shape);
}

// The host device takes part of its options from the environment, and finds its libraries fast.
std::optional<Kernel> find_same(const Spec& spec, const Device& device,
                                const PrepareOptions& options) {
    if (device.is_host() || !options.use_cache) return std::nullopt;
    const std::string source = source_of(options);
    const KernelTable::Hold hold = kernels().find(spec, device);
    // The name is part of what the kernel tells about itself.
    const bool same = hold && hold->source == source && hold->kernel.plan().spec.name == spec.name;
    return same ? std::optional<Kernel>(hold->kernel) : std::nullopt;
}

std::string flight_key(const Spec& spec, const Device& device, const PrepareOptions& options) {
    static std::atomic<uint64_t> number = 0;
    const char* host_seed = std::getenv("SAGEJIT_HOST_SEED");
    return fmt::format("{} {} {} {} {}", device.text(), to_json(spec, -1), source_of(options),
                       host_seed != nullptr ? host_seed : "", options.use_cache ? 0 : ++number);
}

}  // namespace

Kernel prepare_shared(const Spec& spec, const Device& device, const PrepareOptions& options,
                      const MakeKernel& make) {
    if (auto known = find_same(spec, device, options)) return *std::move(known);
    const auto fly = [=](std::stop_token stop) {
        // Somebody may have landed between the look above and this take-off.
        if (auto known = find_same(spec, device, options)) return *std::move(known);
        PrepareOptions inner = options;
        inner.deadline.reset();
        inner.stop = std::move(stop);
        std::string source = source_of(options);
        Kernel kernel = make(inner);
        keep(spec, device, KernelTable::kAnySizes, kernel, std::move(source));
        return kernel;
    };
    bool first = false;
    return fork_safe<Flights>().run(flight_key(spec, device, options),
                                    {options.deadline, options.stop}, fly, first);
}

[[gnu::hot]] void launch(const Spec& spec, const Device& device, const Arguments& arguments,
                         void* workspace, size_t workspace_bytes, void* stream) {
    const KernelTable::Hold hold = kernels().find(spec, device);
    if (!hold) {
        throw Error(ErrorCode::kNotPrepared,
                    fmt::format("no kernel is prepared on {} for head_dim {}, {}{}", device.text(),
                                spec.head_dim, to_string(spec.dtype),
                                spec.name.empty() ? "" : " (" + spec.name + ")"),
                    "launch", "call prepare with the same spec and device beforehand");
    }
    hold->kernel.launch(arguments, workspace, workspace_bytes, stream);
}

std::optional<Kernel> find_prepared(const Spec& spec, const Device& device) {
    const KernelTable::Hold hold = kernels().find(spec, device);
    return hold ? std::optional<Kernel>(hold->kernel) : std::nullopt;
}

std::optional<Kernel> find_for_sizes(const Spec& spec, const Device& device, const Shape& shape) {
    const KernelTable::Hold hold = kernels().find(spec, device, bucket_on(device, shape));
    return hold ? std::optional<Kernel>(hold->kernel) : std::nullopt;
}

Kernel prepare_for_sizes(const Spec& spec, const Device& device, const Shape& shape) {
    std::optional<Kernel> known = find_prepared(spec, device);
    std::optional<Kernel> kernel;
    if (known && is_choice_for(*known, spec, device, shape)) kernel = known;
    PrepareOptions options;
    options.shape = shape;
    try {
        if (!kernel) kernel = prepare(spec, device, options);
    } catch (const Error& error) {
        if (!known) throw;
        // Right for these sizes too, if not the fastest.
        warn_once(fmt::format("the plan for {} cannot be prepared, and another one is used: {}",
                              to_text(bucket_of(shape)), error.what()));
        kernel = known;
    }
    keep_for_sizes(spec, device, shape, *kernel);
    return *kernel;
}

void keep_for_sizes(const Spec& spec, const Device& device, const Shape& shape,
                    const Kernel& kernel) {
    keep(spec, device, bucket_on(device, shape), kernel, "");
}

bool forget_prepared(const Spec& spec, const Device& device) {
    bool forgotten = kernels().replace({spec, device.ordinal(), KernelTable::kAnySizes}, nullptr);
    for (const KernelTable::Key& key : kernels().list()) {
        if (key.ordinal != device.ordinal() || !ask_for_the_same(key.spec, spec)) continue;
        forgotten |= kernels().replace(key, nullptr);
    }
    return forgotten;
}

size_t forget_prepared() {
    size_t count = 0;
    for (const KernelTable::Key& key : kernels().list()) {
        count += forget_prepared(key.spec, device_of(key)) ? 1 : 0;
    }
    return count;
}

std::shared_future<Kernel> prepare_async(const Spec& spec, const Device& device,
                                         const PrepareOptions& options) {
    const auto promise = std::make_shared<std::promise<Kernel>>();
    std::shared_future<Kernel> future = promise->get_future().share();
    // The exit of the process stops this one thread's wait, and with it what it waits for.
    std::stop_source stop;
    run_in_background(stop, [=] {
        try {
            PrepareOptions inner = options;
            const std::stop_callback forward(options.stop,
                                             [stop]() mutable { stop.request_stop(); });
            inner.stop = stop.get_token();
            promise->set_value(prepare(spec, device, inner));
        } catch (...) {
            promise->set_exception(std::current_exception());
        }
    });
    return future;
}

std::vector<PreparedSpec> prepared_kernels() {
    const std::vector<KernelTable::Key> keys = kernels().list();
    std::vector<PreparedSpec> result;
    for (const KernelTable::Key& key : keys) {
        if (key.bucket != KernelTable::kAnySizes) continue;
        PreparedSpec& prepared = result.emplace_back(PreparedSpec{key.spec, device_of(key), {}});
        if (prepared.device.is_host()) continue;  // all sizes have one kernel
        for (const KernelTable::Key& other : keys) {
            if (other.bucket == KernelTable::kAnySizes || other.ordinal != key.ordinal ||
                !ask_for_the_same(other.spec, key.spec)) {
                continue;
            }
            prepared.buckets.push_back(other.bucket);
        }
        std::sort(prepared.buckets.begin(), prepared.buckets.end());
    }
    return result;
}

}  // namespace sagejit
