// Attention inside an application: the first call compiles the kernel, all later ones launch it.
#include <sagejit/attention.h>
#include <sagejit/device_buffer.h>

#include <cstdio>

int main() try {
    const sagejit::Device device = sagejit::Device::best();  // a GPU, else the host device
    constexpr int64_t kHeads = 4, kTokens = 100, kHeadDim = 64;
    constexpr size_t kBytes = kHeads * kTokens * kHeadDim * 2;
    sagejit::DeviceBuffer q(device, kBytes), k(device, kBytes), v(device, kBytes),
        o(device, kBytes);
    for (sagejit::DeviceBuffer* input : {&q, &k, &v}) input->fill(0x3c);  // fp16: 0x3c3c is 1.0586

    const auto tensor = [](sagejit::DeviceBuffer& buffer) {
        return sagejit::TensorRef::contiguous(buffer.data(), sagejit::DataType::kFp16,
                                              {1, kHeads, kTokens, kHeadDim});
    };
    sagejit::AttentionOptions options;
    options.causal = sagejit::CausalMode::kBottomRight;
    sagejit::attention(tensor(q), tensor(k), tensor(v), tensor(o), options, /*stream=*/nullptr);

    uint16_t last = 0;  // waits for the stream
    o.download(&last, sizeof last, kBytes - sizeof last);
    std::printf("%s (%s): the last output is 0x%04x\n", device.text().c_str(),
                device.name().c_str(), last);
    return 0;  // 0x3c3c: a mean of equal values is that value
} catch (const sagejit::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
