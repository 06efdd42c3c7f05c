// What a GPU's clocks and power did while something ran, by NVML, which is opened at run time and
// need not be there.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/samples.h"
#include "sagejit/sagejit.h"

namespace sagejit {

// Over the time watched. Summaries are empty where NVML does not tell.
struct GpuReadings {
    SampleSummary sm_clock_mhz, memory_clock_mhz, power_w, temperature_c;
    std::vector<std::string> throttled;  // reasons seen at least once, e.g. "power_cap"
};

// Watches one GPU. Without NVML, and on the host device, does nothing.
class GpuMonitor {
  public:
    explicit GpuMonitor(const Device& device);
    ~GpuMonitor();
    GpuMonitor(const GpuMonitor&) = delete;
    GpuMonitor& operator=(const GpuMonitor&) = delete;

    // Why nothing is read; empty where something is.
    const std::string& problem() const { return problem_; }
    // The driver's own version, "580.159.03"; empty where unknown.
    const std::string& driver_version() const { return driver_version_; }

    // Reads every few milliseconds, in a thread of its own, until stop. nullopt: nothing was read.
    void start();
    std::optional<GpuReadings> stop();

  private:
    struct Watch;
    std::string problem_, driver_version_;
    std::unique_ptr<Watch> watch_;
};

}  // namespace sagejit
