// Graphs and streams with results that tell which input they came from: kernels of every kind of
// GPU, and Hopper's own where they run. The stub runs nothing, so there only the calls are checked.
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "attention_fixture.h"
#include "problem.h"
#include "sagejit/stream.h"
#include "stub.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

constexpr uint32_t kOtherSeed = 100;

// A plan's call on tensors of its own.
struct Work {
    Work(const Kernel& the_kernel, const Shape& shape, uint32_t seed = 0)
        : kernel(the_kernel),
          tensors(kernel.device(), shape, 64, 64, DataType::kFp16, seed),
          workspace(kernel.device(), kernel.workspace_size(shape)) {
        workspace.fill(0xff);
    }
    void launch(void* stream) const {
        Arguments arguments{tensors.q, tensors.k, tensors.v, tensors.out, nullptr, 0.125f};
        kernel.launch(arguments, workspace.data(), workspace.bytes(), stream);
    }
    // Alone on the null stream; waits.
    std::vector<uint16_t> result() const {
        launch(nullptr);
        return tensors.output();
    }

    Kernel kernel;
    AttentionTensors tensors;
    DeviceBuffer workspace;
};

// The default plan, and that of kernels every GPU of the kind runs where they differ.
std::vector<Kernel> kernels_on(const Device& gpu) {
    PrepareOptions options;
    options.use_tuning = false;
    Spec spec;
    spec.head_dim = spec.head_dim_v = 64;
    std::vector<Kernel> kernels = {prepare(spec, gpu, options)};
    if (kernels.front().plan().target.name != gpu.target().name) {
        spec.target = std::string(gpu.target().name);
        kernels.push_back(prepare(spec, gpu, options));
    }
    return kernels;
}

// Without printing them. The stub leaves outputs as they were.
bool same(const std::vector<uint16_t>& a, const std::vector<uint16_t>& b) {
    return stub_controls() != nullptr || a == b;
}

class Graph {
  public:
    Graph(const Work& work, const Stream& stream)
        : stream_(static_cast<CUstream>(stream.handle())) {
        CUgraph graph = nullptr;
        REQUIRE(SAGEJIT_DRIVER_CALL(cuStreamBeginCapture)(stream_, CU_STREAM_CAPTURE_MODE_GLOBAL) ==
                CUDA_SUCCESS);
        work.launch(stream.handle());
        REQUIRE(SAGEJIT_DRIVER_CALL(cuStreamEndCapture)(stream_, &graph) == CUDA_SUCCESS);
        REQUIRE(instantiate(&exec_, graph) == CUDA_SUCCESS);
        CHECK(SAGEJIT_DRIVER_CALL(cuGraphDestroy)(graph) == CUDA_SUCCESS);
    }
    ~Graph() { SAGEJIT_DRIVER_CALL(cuGraphExecDestroy)(exec_); }
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;

    void launch() const {
        REQUIRE(SAGEJIT_DRIVER_CALL(cuGraphLaunch)(exec_, stream_) == CUDA_SUCCESS);
    }

  private:
    CUstream stream_;
    CUgraphExec exec_ = nullptr;
};

}  // namespace

TEST_CASE("a graph computes from what its inputs hold when it is replayed", "[driver][gpu]") {
    need_gpus(1);
    const Device gpu = Device::cuda(0);
    const Shape shape{2, 4, 2, 333, 777};
    for (const Kernel& kernel : kernels_on(gpu)) {
        INFO(kernel.plan().target.name);
        Work work(kernel, shape);
        const Work other(kernel, shape, kOtherSeed);
        const std::vector<uint16_t> first = work.result(), second = other.result();
        const Stream stream(gpu);
        const Graph graph(work, stream);
        for (int round = 0; round < 3; ++round) {
            graph.launch();
            stream.synchronize();
            CHECK(same(work.tensors.output(), round == 0 ? first : second));
            // New contents, the graph's own workspace full of something else.
            if (round == 0) work.tensors.copy_inputs(other.tensors);
            work.workspace.fill(static_cast<unsigned char>(round));
        }
        if (stub_controls() != nullptr) continue;
        CHECK_FALSE(same(first, second));
        CHECK(work.tensors.compare_output(work.tensors.exact(CausalMode::kNone, 0.125)).rel_l1 <
              0.03);
    }
}

TEST_CASE("two streams at once compute what each computes alone", "[driver][gpu]") {
    need_gpus(1);
    const Device gpu = Device::cuda(0);
    constexpr int kLaunches = 50;
    for (const Kernel& kernel : kernels_on(gpu)) {
        INFO(kernel.plan().target.name);
        // Few CTAs each, so that both fit on the GPU side by side.
        const Work a(kernel, {1, 4, 2, 333, 2000}), b(kernel, {1, 2, 2, 1000, 700}, kOtherSeed);
        const std::vector<uint16_t> alone_a = a.result(), alone_b = b.result();
        const Stream stream_a(gpu), stream_b(gpu);
        SECTION("from one thread") {
            for (int i = 0; i < kLaunches; ++i) {
                a.launch(stream_a.handle());
                b.launch(stream_b.handle());
            }
        }
        SECTION("from a thread each") {
            std::jthread thread([&] {
                for (int i = 0; i < kLaunches; ++i) a.launch(stream_a.handle());
            });
            for (int i = 0; i < kLaunches; ++i) b.launch(stream_b.handle());
        }
        stream_a.synchronize();
        stream_b.synchronize();
        CHECK(same(a.tensors.output(), alone_a));
        CHECK(same(b.tensors.output(), alone_b));
    }
}

TEST_CASE("the null stream waits for the streams before it, and they for it", "[driver][gpu]") {
    need_gpus(1);
    const Device gpu = Device::cuda(0);
    const Shape shape{1, 4, 2, 333, 2000};
    for (const Kernel& kernel : kernels_on(gpu)) {
        INFO(kernel.plan().target.name);
        // All share one workspace and one output: only order keeps them apart.
        Work work(kernel, shape);
        const Work other(kernel, shape, kOtherSeed);
        const std::vector<uint16_t> first = work.result(), second = other.result();
        const Stream stream(gpu);
        for (int i = 0; i < 20; ++i) {
            work.launch(stream.handle());
            work.launch(nullptr);
        }
        CHECK(same(work.tensors.output(), first));
        work.tensors.copy_inputs(other.tensors);
        for (int i = 0; i < 20; ++i) {
            work.launch(nullptr);
            work.launch(stream.handle());
        }
        CHECK(same(work.tensors.output(), second));  // by the null stream, after them
    }
}
