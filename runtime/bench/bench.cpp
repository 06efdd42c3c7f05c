#include "bench/bench.h"

#include <unistd.h>

#include "driver.h"

namespace sagejit {

BenchResult bench_kernel(const Kernel& kernel, OperandSets& operands, const Shape& shape,
                         const Stream& stream, GpuMonitor& monitor, const TimingOptions& options) {
    const CallSets calls(kernel, operands, shape, stream);
    BenchResult result;
    result.workspace_bytes = calls.workspace_bytes();
    const auto measure = [&](Phase phase, Timing& timing, std::optional<Timing>& single) {
        const auto launch = [&calls, phase](int64_t index) { calls.launch(phase, index); };
        timing = time_launches(stream, launch, options);
        if (timing.launches_per_sample > 1) {
            single = time_single_launches(stream, launch, options);
        }
    };
    monitor.start();
    measure(Phase::kAttention, result.attention, result.attention_single);
    measure(Phase::kWholeCall, result.whole_call, result.whole_call_single);
    result.gpu = monitor.stop();

    operands.poison_outputs();
    for (int i = 0; i < operands.count(); ++i) calls.launch(Phase::kWholeCall, i);
    stream.synchronize();
    result.outputs_finite = operands.outputs_finite();
    return result;
}

size_t cache_bytes(const Device& device) {
    return device.is_host() ? 0 : gpu_info(device.ordinal()).l2_bytes;
}

size_t free_memory(const Device& device) {
    if (!device.is_host()) return gpu_free_memory(device.ordinal());
    const long pages = sysconf(_SC_AVPHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(page) : 0;
}

}  // namespace sagejit
