// Opening a bundle, and the checks that come with it.
#include "sagejit/bundle.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "bundle/bytes.h"
#include "bundle/layout.h"
#include "bundle/manifest.h"
#include "cubin.h"
#include "sagejit/generator/error.h"
#include "target_rank.h"

namespace sagejit {

struct Bundle::Contents {
    std::string origin, checksum;
    std::unique_ptr<BundleBytes> bytes;
    Manifest manifest;
    std::vector<uint64_t> offsets;  // of the cubins

    // Bytes from an offset to the next cubin's place hold nothing.
    void check_padding(uint64_t from, uint64_t to) const;
    void find_cubins(uint64_t end_of_manifest);
};

namespace {

Bundle open_bytes(std::string origin, std::unique_ptr<BundleBytes> bytes) {
    auto contents = std::make_shared<Bundle::Contents>();
    contents->origin = std::move(origin);
    contents->bytes = std::move(bytes);
    const uint64_t size = contents->bytes->size();

    std::array<uint8_t, sizeof(BundleHeader)> head{};
    const size_t there = std::min<uint64_t>(head.size(), size);
    contents->bytes->read(0, std::span(head).first(there));
    const BundleHeader header = parse_header(std::span(head).first(there), size, contents->origin);

    std::vector<uint8_t> text(header.manifest_bytes);
    contents->bytes->read(sizeof header, text);
    check_manifest(header, text, contents->origin);
    contents->checksum = to_hex(header.checksum);
    contents->manifest =
        parse_manifest(std::string_view(reinterpret_cast<const char*>(text.data()), text.size()),
                       contents->origin);
    contents->find_cubins(sizeof header + text.size());
    return Bundle(std::move(contents));
}

}  // namespace

void Bundle::Contents::check_padding(uint64_t from, uint64_t to) const {
    std::array<uint8_t, kCubinAlignment> padding{};
    const std::span<uint8_t> part = std::span(padding).first(to - from);
    bytes->read(from, part);
    const auto is_zero = [](uint8_t byte) { return byte == 0; };
    if (!std::all_of(part.begin(), part.end(), is_zero)) {
        refuse_bundle(origin, "there is something between its cubins");
    }
}

// Sizes tell where the cubins are; they must fill the file to its last byte.
void Bundle::Contents::find_cubins(uint64_t end_of_manifest) {
    uint64_t end = end_of_manifest;
    for (const StoredCubin& cubin : manifest.cubins) {
        const uint64_t begin = align_cubin(end);
        if (begin > bytes->size() || cubin.bytes > bytes->size() - begin) {
            refuse_bundle(origin, "its cubins do not fit into it");
        }
        check_padding(end, begin);
        offsets.push_back(begin);
        end = begin + cubin.bytes;
    }
    if (end != bytes->size()) refuse_bundle(origin, "there is something behind its cubins");
}

Bundle Bundle::open(const std::filesystem::path& file) {
    return open_bytes(file.string(), bytes_of_file(file));
}

Bundle Bundle::open_beside_program(const std::filesystem::path& name) {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) {
        throw Error(ErrorCode::kIo, "cannot find the running program: " + error.message(),
                    name.string(), "use Bundle::open with a path");
    }
    return open(program.parent_path() / name);
}

Bundle Bundle::from_memory(std::span<const std::byte> bytes, std::string origin) {
    return open_bytes(std::move(origin), bytes_of_memory(bytes));
}

const std::string& Bundle::origin() const { return contents_->origin; }
const std::string& Bundle::checksum() const { return contents_->checksum; }
const std::string& Bundle::generator() const { return contents_->manifest.generator; }
const std::string& Bundle::nvrtc() const { return contents_->manifest.nvrtc; }
const std::vector<BundleKernel>& Bundle::kernels() const { return contents_->manifest.kernels; }

std::vector<uint8_t> Bundle::cubin(const BundleKernel& kernel) const {
    const std::vector<StoredCubin>& cubins = contents_->manifest.cubins;
    if (kernel.cubin >= cubins.size()) {
        throw Error(ErrorCode::kInvalidArgument, "the kernel is not of this bundle",
                    contents_->origin, "pass one of kernels()");
    }
    std::vector<uint8_t> bytes(cubins[kernel.cubin].bytes);
    contents_->bytes->read(contents_->offsets[kernel.cubin], bytes);
    const auto refuse = [&](const std::string& problem) {
        refuse_bundle(contents_->origin, fmt::format("the cubin of {} for {} {}", kernel.name,
                                                     kernel.target, problem));
    };
    if (to_hex(sagejit::checksum({bytes})) != cubins[kernel.cubin].checksum) {
        refuse("is damaged: its checksum differs");
    }
    if (cubin_arch(bytes) != parse_architecture(kernel.target).number) {
        refuse("is not of that architecture");
    }
    return bytes;
}

void Bundle::verify() const {
    for (const BundleKernel& kernel : kernels()) cubin(kernel);
}

}  // namespace sagejit
