// One attention call on a device, from host tensors to host tensors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attention_input.h"
#include "bench/timing.h"
#include "config_file.h"
#include "sagejit/sagejit.h"

namespace sagejit::cli {

// The device asked for ("host", "cuda:N"), or the best one where nothing is asked; says so on
// stderr when that is the host device. Throws what Device::parse throws.
Device choose_device(const std::string& text);

// prepare, with the config's file in its errors.
Kernel prepare_config(const Config& config, const Device& device, const PrepareOptions& options);

// {"device": "cuda:0", "device_name": .., "target": ..}
Json device_json(const Kernel& kernel);

struct AttentionOutput {
    HostTensor o;            // [batch, heads_q, len_q, head_dim_v]
    std::vector<float> lse;  // [batch, heads_q, len_q]; empty unless the spec asks for it
    // Allocating and copying by the clock; attention from the first kernel's start to the last
    // one's end.
    double upload_ms = 0, attention_ms = 0, download_ms = 0;
    std::optional<double> median_ms;  // of time_attention
};

// Runs a prepared kernel on an input that check_input accepted, and waits for it.
AttentionOutput call_attention(const Kernel& kernel, const InputFile& input, float logit_scale);
// The same, and then measures calls on these tensors: the median of a whole call, milliseconds.
AttentionOutput time_attention(const Kernel& kernel, const InputFile& input, float logit_scale,
                               const TimingOptions& timing);

// For the help: the target taken where none is named.
std::string run_target_fallback();

// The logit_scale asked for, else 1/sqrt(head_dim).
float logit_scale_or_default(const std::optional<double>& asked, const Spec& spec);

}  // namespace sagejit::cli
