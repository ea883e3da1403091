/* SPDX-License-Identifier: MIT */
/* Symbols of loaded objects: of this very process against what the dynamic linker says, and of
 * images that lie about themselves. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "attach/image.h"
#include "attach/memory.h"

/* A process's memory that is a buffer, at this address. */
#define AT 0x10000u
static unsigned char bytes[8192];

static int
read_bytes(const struct memory *memory, uint64_t address, void *out, size_t size)
{
    (void)memory;
    if (address < AT || address - AT > sizeof(bytes) || size > sizeof(bytes) - (address - AT))
        return -EFAULT;
    memcpy(out, bytes + (address - AT), size);
    return 0;
}

static const struct memory buffer = {.read = read_bytes};

static struct image
image_of(const void *address)
{
    struct image image;
    Dl_info info;
    struct memory memory = memory_of(getpid());
    assert_true(dladdr(address, &info) != 0);
    assert_int_equal(image_open(&memory, (uint64_t)(uintptr_t)info.dli_fbase, &image), 0);
    return image;
}

static void
test_libc(void **state)
{
    (void)state;
    static const char *const names[] = {"dlopen", "syscall", "__errno_location", "environ"};
    /* not what stands before it: a sanitizer has a dlopen of its own */
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    assert_non_null(libc);
    struct image image = image_of(dlsym(libc, "environ"));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uint64_t address = 0;
        assert_int_equal(image_symbol(&image, names[i], &address), 0);
        assert_true(address == (uint64_t)(uintptr_t)dlsym(libc, names[i]));
    }
    (void)dlclose(libc);
}

static void
test_what_is_not_there(void **state)
{
    (void)state;
    struct image image = image_of(dlsym(RTLD_DEFAULT, "environ"));
    uint64_t address = 7;
    assert_int_equal(image_symbol(&image, "no_such_function_anywhere", &address), -ENOENT);
    assert_int_equal(image_symbol(&image, "", &address), -ENOENT);
    char name[200];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(image_symbol(&image, name, &address), -ENAMETOOLONG);
    assert_int_equal(address, 7);
    /* imported, not defined: the program's own image */
    image = image_of((const void *)(uintptr_t)&test_what_is_not_there);
    assert_int_equal(image_symbol(&image, "dladdr", &address), -ENOENT);
}

static void
test_no_image(void **state)
{
    (void)state;
    struct memory memory = memory_of(getpid());
    struct image image;
    static const char text[4096] = "no ELF header";
    assert_int_equal(image_open(&memory, (uint64_t)(uintptr_t)text, &image), -ENOEXEC);
    assert_int_equal(image_open(&memory, 0, &image), -EFAULT);
    assert_int_equal(image_open(&memory, UINT64_MAX - 8, &image), -EFAULT);
}

/* A whole little image: headers, a dynamic section, one symbol "f" at 0x1234 in a System V hash. */
struct small {
    Elf64_Ehdr header;
    Elf64_Phdr load, dynamic;
    Elf64_Dyn entries[5];
    Elf64_Sym symbols[2];
    char strings[8];
    uint32_t hash[5]; /* 1 bucket, 2 chains: bucket, chain 0, chain 1 */
};

static struct small *
make_small(void)
{
    struct small *small = (struct small *)(void *)bytes;
    memset(bytes, 0, sizeof(bytes));
    memcpy(small->header.e_ident, ELFMAG, SELFMAG);
    small->header.e_ident[EI_CLASS] = ELFCLASS64;
    small->header.e_ident[EI_DATA] = ELFDATA2LSB;
    small->header.e_type = ET_DYN;
    small->header.e_machine = EM_X86_64;
    small->header.e_phoff = offsetof(struct small, load);
    small->header.e_phentsize = sizeof(Elf64_Phdr);
    small->header.e_phnum = 2;
    small->load = (Elf64_Phdr){.p_type = PT_LOAD, .p_memsz = sizeof(bytes)};
    small->dynamic = (Elf64_Phdr){.p_type = PT_DYNAMIC,
        .p_vaddr = offsetof(struct small, entries),
        .p_memsz = sizeof(small->entries)};
    small->entries[0] = (Elf64_Dyn){DT_SYMTAB, {offsetof(struct small, symbols)}};
    small->entries[1] = (Elf64_Dyn){DT_STRTAB, {offsetof(struct small, strings)}};
    small->entries[2] = (Elf64_Dyn){DT_STRSZ, {sizeof(small->strings)}};
    small->entries[3] = (Elf64_Dyn){DT_HASH, {offsetof(struct small, hash)}};
    small->symbols[1] = (Elf64_Sym){.st_name = 1,
        .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
        .st_shndx = 1,
        .st_value = 0x1234};
    memcpy(small->strings, "\0f\0g", 5);
    memcpy(small->hash, ((uint32_t[]){1, 2, 1, 0, 0}), sizeof(small->hash));
    return small;
}

static int
find(const char *name, uint64_t *ret_address)
{
    struct image image;
    int r = image_open(&buffer, AT, &image);
    return r < 0 ? r : image_symbol(&image, name, ret_address);
}

static void
test_system_v_hash(void **state)
{
    (void)state;
    uint64_t address = 0;
    struct small *small = make_small();
    assert_int_equal(find("f", &address), 0);
    assert_int_equal(address, AT + 0x1234);
    assert_int_equal(find("g", &address), -ENOENT);
    /* glibc leaves absolute addresses in place */
    small->entries[0].d_un.d_ptr += AT;
    small->entries[3].d_un.d_ptr += AT;
    assert_int_equal(find("f", &address), 0);
    small->symbols[1].st_shndx = SHN_UNDEF;
    assert_int_equal(find("f", &address), -ENOENT);
}

static void
test_lies(void **state)
{
    (void)state;
    uint64_t address = 7;
    struct small *small = make_small();
    small->hash[0] = 0; /* no bucket: a division */
    assert_int_equal(find("f", &address), -ENOENT);
    small = make_small();
    small->hash[2] = 77; /* outside its chains */
    assert_int_equal(find("f", &address), -EBADMSG);
    small = make_small();
    small->hash[4] = 1; /* a chain that goes round */
    assert_int_equal(find("g", &address), -EBADMSG);
    small = make_small();
    small->symbols[1].st_name = 0xffffffff;
    assert_int_equal(find("f", &address), -ENOENT);
    small = make_small();
    small->entries[1].d_un.d_ptr = 0x100000; /* strings where there is nothing */
    assert_int_equal(find("f", &address), -EFAULT);
    small = make_small();
    small->header.e_phnum = 0xffff;
    assert_int_equal(find("f", &address), -ENOEXEC);
    small = make_small();
    small->header.e_phoff = UINT64_MAX - 8;
    assert_int_equal(find("f", &address), -EFAULT);
    small = make_small();
    small->header.e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(find("f", &address), -ENOEXEC);
    small = make_small();
    small->load.p_memsz = UINT64_MAX;
    small->load.p_vaddr = 4096;
    assert_int_equal(find("f", &address), -ENOENT);
    small = make_small();
    small->dynamic.p_memsz = UINT64_MAX;
    assert_true(find("f", &address) <= 0);
    assert_int_equal(address, 7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_libc),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_no_image),
        cmocka_unit_test(test_system_v_hash),
        cmocka_unit_test(test_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
