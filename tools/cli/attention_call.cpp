#include "attention_call.h"

#include <fmt/format.h>

#include "sagejit/device_buffer.h"
#include "sagejit/stream.h"
#include "stopwatch.h"

namespace sagejit::cli {
namespace {

// A contiguous tensor on a device, of a host tensor's type and shape.
class DeviceTensor {
  public:
    DeviceTensor(const Device& device, const HostTensor& tensor)
        : buffer_(device, tensor.data.size()),
          ref_(TensorRef::contiguous(buffer_.data(), tensor.dtype, tensor.shape)) {}

    void upload(const HostTensor& tensor) {
        buffer_.upload(tensor.data.data(), tensor.data.size());
    }
    void download(HostTensor& tensor) const {
        buffer_.download(tensor.data.data(), tensor.data.size());
    }
    const TensorRef& ref() const { return ref_; }

  private:
    DeviceBuffer buffer_;
    TensorRef ref_;
};

}  // namespace

Device choose_device(const std::string& text) {
    if (!text.empty()) return Device::parse(text);
    const Device device = Device::best();
    if (device.is_host()) {
        note("no usable GPU: running on the host device, which is slow (see sagejit doctor)");
    }
    return device;
}

Kernel prepare_config(const Config& config, const Device& device, const PrepareOptions& options) {
    try {
        return prepare(config.spec, device, options);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kUnsupportedTarget) throw;
        throw Error(error.code(), error.message(), config.file + ": " + error.where(), error.fix());
    }
}

Json device_json(const Kernel& kernel) {
    return {{"device", kernel.device().text()},
            {"device_name", kernel.device().name()},
            {"target", kernel.plan().target.name}};
}

std::string run_target_fallback() {
    return fmt::format("the GPU's, on the host device {}", kDefaultTarget);
}

float logit_scale_or_default(const std::optional<double>& asked, const Spec& spec) {
    return asked ? static_cast<float>(*asked) : default_logit_scale(spec.head_dim);
}

namespace {

AttentionOutput call(const Kernel& kernel, const InputFile& input, float logit_scale,
                     const TimingOptions* timing) {
    const Spec& spec = kernel.plan().spec;
    const Shape& shape = input.shape;
    const Device& device = kernel.device();
    AttentionOutput output;
    output.o = make_host_tensor(spec.output_dtype,
                                {shape.batch, shape.heads_q, shape.len_q, spec.head_dim_v});
    if (spec.lse) {
        output.lse.resize(element_count({shape.batch, shape.heads_q, shape.len_q, 1}, "lse"));
    }
    const size_t lse_bytes = output.lse.size() * sizeof(float);

    Stopwatch stopwatch;
    DeviceTensor q(device, input.q), k(device, input.k), v(device, input.v), o(device, output.o);
    const DeviceBuffer lse(device, lse_bytes);
    const DeviceBuffer workspace(device, kernel.workspace_size(shape));
    q.upload(input.q);
    k.upload(input.k);
    v.upload(input.v);
    output.upload_ms = stopwatch.lap();

    const Stream stream(device);
    StreamTimer timer(stream);
    const Arguments arguments{
        q.ref(), k.ref(), v.ref(), o.ref(), static_cast<float*>(lse.data()), logit_scale};
    const auto launch = [&] {
        kernel.launch(arguments, workspace.data(), workspace.bytes(), stream.handle());
    };
    timer.start();
    launch();
    timer.stop();
    stream.synchronize();
    output.attention_ms = timer.milliseconds();
    if (timing != nullptr) {
        output.median_ms = time_launches(
                               stream, [&](int64_t) { launch(); }, *timing)
                               .ms.median;
    }

    stopwatch.lap();
    o.download(output.o);
    lse.download(output.lse.data(), lse_bytes);
    output.download_ms = stopwatch.lap();
    return output;
}

}  // namespace

AttentionOutput call_attention(const Kernel& kernel, const InputFile& input, float logit_scale) {
    return call(kernel, input, logit_scale, nullptr);
}

AttentionOutput time_attention(const Kernel& kernel, const InputFile& input, float logit_scale,
                               const TimingOptions& timing) {
    return call(kernel, input, logit_scale, &timing);
}

}  // namespace sagejit::cli
