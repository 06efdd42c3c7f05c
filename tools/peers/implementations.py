"""The peers: how each library is called on q, k, v of a shape.

A peer says why it cannot run (Skip) or returns a function of q, k and v [batch, heads, len, dim] in
the layout it wants, ready to be timed. Conversions a user would not pay for (layouts) are done
before; those a user does pay for (quantization) are part of the call.
"""

import dataclasses
import importlib


class Skip(Exception):
    """Why a peer does not take part; the text goes into its row."""


def load(name):
    try:
        return importlib.import_module(name)
    except Exception as error:  # a broken installation must not end the run
        raise Skip(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


@dataclasses.dataclass(frozen=True)
class Problem:
    shape: object
    causal: bool
    dtype: str  # "fp16" or "bf16"


@dataclasses.dataclass(frozen=True)
class Call:
    """prepare: (q, k, v) to what the library wants; run: that to the output."""

    prepare: object
    run: object
    version: str


def refuse_unequal_causal(problem):
    if problem.causal and problem.shape.len_q != problem.shape.len_k:
        raise Skip("masks the other corner where lengths differ")


def version_of(module):
    return str(getattr(module, "__version__", "unknown"))


def identity(q, k, v):
    return q, k, v


def token_major(q, k, v):
    return tuple(x.transpose(1, 2).contiguous() for x in (q, k, v))


def torch_sdpa(backend_name):
    def make(problem):
        torch = load("torch")
        attention = load("torch.nn.attention")
        backend = getattr(attention.SDPBackend, backend_name, None)
        if backend is None:
            raise Skip(f"torch {torch.__version__} has no SDPBackend.{backend_name}")
        shape = problem.shape
        options = {"is_causal": problem.causal}
        if shape.heads_q != shape.heads_kv:
            options["enable_gqa"] = True

        def run(q, k, v):
            with attention.sdpa_kernel(backend):
                return torch.nn.functional.scaled_dot_product_attention(q, k, v, **options)

        version = f"torch {torch.__version__}"
        if backend_name == "CUDNN_ATTENTION":
            version += f", cuDNN {torch.backends.cudnn.version()}"
        return Call(identity, run, version)

    return make


def flash_attn_3(problem):
    refuse_unequal_causal(problem)
    module = load("flash_attn_interface")

    def run(q, k, v):
        return module.flash_attn_func(q, k, v, causal=problem.causal)

    return Call(token_major, run, version_of(module))


def flash_attn_3_fp8(problem):
    """Kernel alone: operands are converted before, with one scale a head."""
    refuse_unequal_causal(problem)
    torch = load("torch")
    module = load("flash_attn_interface")
    if problem.dtype != "bf16":
        raise Skip("fp8 writes bf16 only")

    def prepare(q, k, v):
        operands = tuple(x.to(torch.float8_e4m3fn) for x in token_major(q, k, v))
        scale = torch.ones(q.shape[0], k.shape[1], dtype=torch.float32, device=q.device)
        return (*operands, scale)

    def run(q, k, v, scale):
        return module.flash_attn_func(
            q, k, v, causal=problem.causal, q_descale=scale, k_descale=scale, v_descale=scale
        )

    return Call(prepare, run, version_of(module))


def sageattention(problem):
    refuse_unequal_causal(problem)
    module = load("sageattention")

    def run(q, k, v):
        return module.sageattn(q, k, v, tensor_layout="HND", is_causal=problem.causal)

    return Call(identity, run, version_of(module))


def flashinfer(problem):
    refuse_unequal_causal(problem)
    torch = load("torch")
    module = load("flashinfer")
    shape = problem.shape
    workspace = torch.empty(256 << 20, dtype=torch.uint8, device="cuda")
    wrapper = module.BatchPrefillWithRaggedKVCacheWrapper(workspace, "NHD")

    def starts(length):
        return torch.arange(shape.batch + 1, dtype=torch.int32, device="cuda") * length

    wrapper.plan(
        starts(shape.len_q),
        starts(shape.len_k),
        shape.heads_q,
        shape.heads_kv,
        shape.head_dim,
        head_dim_vo=shape.head_dim_v,
        causal=problem.causal,
        q_data_type={"fp16": torch.float16, "bf16": torch.bfloat16}[problem.dtype],
    )

    def prepare(q, k, v):
        return tuple(x.flatten(0, 1) for x in token_major(q, k, v))

    return Call(prepare, wrapper.run, version_of(module))


# Name, maker, dtypes, and whether the figure leaves out a conversion that a whole call needs.
@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    make: object
    dtypes: tuple = ("fp16", "bf16")
    kernel_alone: bool = False


PEERS = [
    Peer("torch-flash", torch_sdpa("FLASH_ATTENTION")),
    Peer("torch-cudnn", torch_sdpa("CUDNN_ATTENTION")),
    Peer("flash-attn-3", flash_attn_3),
    Peer("flash-attn-3-fp8", flash_attn_3_fp8, ("bf16",), kernel_alone=True),
    Peer("sageattention", sageattention),
    Peer("flashinfer", flashinfer),
]
