#include "tensor/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "tensor/atomic_file.h"
#include "tensor/safetensors_header.h"

namespace sagejit {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are stored little-endian");

struct TypeInfo {
    StoredType type;
    std::string_view text;
    int64_t bytes;
};
constexpr TypeInfo kTypes[] = {
    {StoredType::kBool, "BOOL", 1},      {StoredType::kU8, "U8", 1},
    {StoredType::kI8, "I8", 1},          {StoredType::kF8E4M3, "F8_E4M3", 1},
    {StoredType::kF8E5M2, "F8_E5M2", 1}, {StoredType::kF8E8M0, "F8_E8M0", 1},
    {StoredType::kU16, "U16", 2},        {StoredType::kI16, "I16", 2},
    {StoredType::kF16, "F16", 2},        {StoredType::kBf16, "BF16", 2},
    {StoredType::kU32, "U32", 4},        {StoredType::kI32, "I32", 4},
    {StoredType::kF32, "F32", 4},        {StoredType::kU64, "U64", 8},
    {StoredType::kI64, "I64", 8},        {StoredType::kF64, "F64", 8},
    {StoredType::kC64, "C64", 8},
};

const TypeInfo& info(StoredType type) {
    for (const TypeInfo& candidate : kTypes)
        if (candidate.type == type) return candidate;
    throw Error(ErrorCode::kInternal, "a stored type is missing from its table");
}

[[noreturn]] void cannot_read(std::string_view origin, std::string message) {
    throw Error(ErrorCode::kIo, std::move(message), std::string(origin),
                "check that the file exists and is readable");
}

// Bytes of one source: a file, or memory.
using ReadAt = std::function<void(uint64_t offset, std::span<std::byte> destination)>;

SafetensorsFile load(const ReadAt& read_at, uint64_t file_bytes, std::string_view origin) {
    std::string first(std::min<uint64_t>(file_bytes, kHeaderLengthBytes), '\0');
    read_at(0, std::as_writable_bytes(std::span(first)));
    const uint64_t length = parse_header_length(first, file_bytes, origin);
    std::string json(length, '\0');
    read_at(kHeaderLengthBytes, std::as_writable_bytes(std::span(json)));
    const uint64_t data_start = kHeaderLengthBytes + length;
    SafetensorsHeader header = parse_header(json, file_bytes - data_start, origin);

    SafetensorsFile file;
    file.origin = origin;
    file.metadata = std::move(header.metadata);
    for (StoredEntry& entry : header.entries) {
        StoredTensor& tensor = file.tensors.emplace_back();
        tensor.name = std::move(entry.name);
        tensor.type = entry.type;
        tensor.shape = std::move(entry.shape);
        try {
            tensor.data.resize(entry.end - entry.begin);
        } catch (const std::bad_alloc&) {
            cannot_read(origin, "not enough memory for " + printable(tensor.name));
        }
        read_at(data_start + entry.begin, tensor.data);
    }
    return file;
}

}  // namespace

std::string_view to_string(StoredType type) { return info(type).text; }
int64_t element_bytes(StoredType type) { return info(type).bytes; }

std::optional<StoredType> parse_stored_type(std::string_view text) {
    for (const TypeInfo& candidate : kTypes)
        if (candidate.text == text) return candidate.type;
    return std::nullopt;
}

const StoredTensor& SafetensorsFile::at(std::string_view name) const {
    constexpr size_t kMostListed = 16;
    std::string known;
    for (size_t i = 0; i < tensors.size(); ++i) {
        if (tensors[i].name == name) return tensors[i];
        if (i < kMostListed) known += (i ? ", " : "") + printable(tensors[i].name);
        if (i == kMostListed) known += ", ...";
    }
    throw Error(ErrorCode::kInvalidInput, "there is no tensor " + printable(name), origin,
                known.empty() ? "the file holds no tensors" : "it holds " + known);
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
    const std::string origin = path.string();
    std::error_code error;
    // Opening a pipe would wait for a writer, and reading a directory fails without saying why.
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    if (error) cannot_read(origin, "cannot read: " + error.message());
    if (!std::filesystem::is_regular_file(status)) cannot_read(origin, "not a regular file");
    errno = 0;
    std::ifstream stream(path, std::ios::binary);
    if (!stream) cannot_read(origin, std::string("cannot open: ") + std::strerror(errno));
    stream.seekg(0, std::ios::end);
    const auto file_bytes = static_cast<uint64_t>(stream.tellg());
    const ReadAt read_at = [&](uint64_t offset, std::span<std::byte> destination) {
        stream.seekg(static_cast<std::streamoff>(offset));
        stream.read(reinterpret_cast<char*>(destination.data()),
                    static_cast<std::streamsize>(destination.size()));
        if (!stream) cannot_read(origin, "reading failed, or the file became shorter meanwhile");
    };
    return load(read_at, file_bytes, origin);
}

SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, std::string_view origin) {
    const ReadAt read_at = [&](uint64_t offset, std::span<std::byte> destination) {
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), destination.size(),
                    destination.begin());
    };
    return load(read_at, bytes.size(), origin);
}

void write_safetensors(const std::filesystem::path& path, std::span<const StoredTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
    const std::string origin = path.string();
    const auto refuse = [&](std::string message) {
        throw Error(ErrorCode::kInvalidArgument, std::move(message), origin, "nothing was written");
    };
    std::vector<const StoredTensor*> order;
    std::set<std::string_view> names = {kMetadataName};
    for (const StoredTensor& tensor : tensors) {
        if (!names.insert(tensor.name).second)
            refuse("the name " + printable(tensor.name) + " is reserved or used twice");
        if (stored_bytes(tensor.type, tensor.shape, tensor.name, origin,
                         ErrorCode::kInvalidArgument) != tensor.data.size())
            refuse(printable(tensor.name) + ": its data does not match its shape");
        order.push_back(&tensor);
    }
    std::sort(order.begin(), order.end(), [](const StoredTensor* a, const StoredTensor* b) {
        if (a->type != b->type && element_bytes(a->type) != element_bytes(b->type))
            return element_bytes(a->type) > element_bytes(b->type);
        return a->name < b->name;
    });

    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!metadata.empty()) header[std::string(kMetadataName)] = metadata;
    uint64_t offset = 0;
    for (const StoredTensor* tensor : order) {
        const uint64_t end = offset + tensor->data.size();
        header[tensor->name] = {{"dtype", to_string(tensor->type)},
                                {"shape", tensor->shape},
                                {"data_offsets", {offset, end}}};
        offset = end;
    }
    std::string json;
    try {
        json = header.dump();
    } catch (const nlohmann::json::exception&) {
        refuse("a name or a metadata text is not UTF-8");
    }
    json.resize((json.size() + 7) / 8 * 8, ' ');
    if (json.size() > kMaxHeaderBytes) refuse("the header would exceed the format's limit");

    const uint64_t length = json.size();
    std::vector<std::span<const std::byte>> pieces = {std::as_bytes(std::span(&length, 1)),
                                                      std::as_bytes(std::span(json))};
    for (const StoredTensor* tensor : order) pieces.emplace_back(tensor->data);
    write_file_atomically(path, pieces);
}

HostTensor to_host_tensor(const StoredTensor& tensor, std::string_view origin) {
    const bool fp16 = tensor.type == StoredType::kF16, bf16 = tensor.type == StoredType::kBf16;
    if ((!fp16 && !bf16) || tensor.shape.size() != 4)
        throw Error(ErrorCode::kInvalidInput,
                    fmt::format("{} is {} of rank {}", printable(tensor.name),
                                to_string(tensor.type), tensor.shape.size()),
                    std::string(origin), "F16 or BF16 [batch, heads, len, dim] is needed");
    HostTensor result;
    result.dtype = fp16 ? DataType::kFp16 : DataType::kBf16;
    std::copy_n(tensor.shape.begin(), 4, result.shape.begin());
    result.data = tensor.data;
    return result;
}

StoredTensor to_stored_tensor(std::string name, const HostTensor& tensor) {
    StoredTensor result;
    result.name = std::move(name);
    result.type = tensor.dtype == DataType::kFp16 ? StoredType::kF16 : StoredType::kBf16;
    result.shape.assign(tensor.shape.begin(), tensor.shape.end());
    result.data = tensor.data;
    return result;
}

}  // namespace sagejit
