/* A program that includes nothing but the header, and uses what its macros define. */
#include <sagejit.h>

int header_is_complete(void);
int header_is_complete(void) {
    sagejit_prepare_options options = SAGEJIT_PREPARE_OPTIONS_INIT;
    sagejit_kernel_info info = SAGEJIT_KERNEL_INFO_INIT;
    sagejit_attention_options attention = SAGEJIT_ATTENTION_OPTIONS_INIT;
    sagejit_device device = {SAGEJIT_DEVICE_BEST, 0};
    return options.struct_size + attention.struct_size + info.struct_size > 0 &&
           device.ordinal == 0;
}
