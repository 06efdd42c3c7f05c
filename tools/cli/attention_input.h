// q, k and v as the command line takes them: read from a safetensors file and checked.
#pragma once

#include <string>
#include <vector>

#include "config_file.h"
#include "output.h"
#include "sagejit/generator/workspace.h"
#include "tensor/host_tensor.h"

namespace sagejit::cli {

struct InputFile {
    std::string file;
    std::string name;  // the file's, without directory and extension
    HostTensor q;      // [batch, heads_q, len_q, head_dim]
    HostTensor k;      // [batch, heads_kv, len_k, head_dim]
    HostTensor v;      // [batch, heads_kv, len_k, head_dim_v]
    Shape shape;
};

// Reads a file that must hold exactly q, k and v, alike in dtype, with sizes that agree.
// Throws Error(kIo) and Error(kInvalidInput) naming the file and the tensor.
InputFile read_input(const std::string& file);

// The layers of a file: either one, q, k and v, named like the file; or several, each of them
// LAYER.q, LAYER.k and LAYER.v, in the order of their names. Throws as read_input does.
std::vector<InputFile> read_layers(const std::string& file);

// Throws Error(kInvalidInput) unless dtype and head dimensions are those the config is for.
void check_input(const InputFile& input, const Config& config);

// The tensor as an argument that is only read.
TensorRef const_ref(const HostTensor& tensor);

// {"batch": .., "heads_q": .., "heads_kv": .., "len_q": .., "len_k": .., "head_dim": .., ..}
Json shape_json(const InputFile& input);
// "batch 1, heads 9/3, len 1024/1024, head_dim 64": query before key side.
std::string shape_text(const InputFile& input);

}  // namespace sagejit::cli
