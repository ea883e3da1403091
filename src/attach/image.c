/* SPDX-License-Identifier: MIT */
/* See image.h. */
#include "attach/image.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define SEGMENTS_MAX 128
#define DYNAMIC_MAX 512
#define CHAIN_MAX 4096 /* symbols of one hash bucket */
#define NAME_MAX_BYTES 64
#define STRINGS_MAX (256u << 20)

static int
read_header(const struct memory *memory, uint64_t base, Elf64_Ehdr *header)
{
    int r = memory_read(memory, base, header, sizeof(*header));

    if (r < 0)
        return r;
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_ident[EI_DATA] != ELFDATA2LSB ||
        (header->e_type != ET_DYN && header->e_type != ET_EXEC) ||
        header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
        header->e_phnum > SEGMENTS_MAX)
        return -ENOEXEC;
    return 0;
}

/* What the object spans, how far it was moved, and where its dynamic section is. */
static int
read_segments(struct image *image, const Elf64_Ehdr *header, Elf64_Phdr *ret_dynamic)
{
    Elf64_Phdr segments[SEGMENTS_MAX];
    uint64_t low = UINT64_MAX, high = 0;
    const Elf64_Phdr *dynamic = NULL;
    int r = memory_read(&image->memory, image->base + header->e_phoff, segments,
        header->e_phnum * sizeof(segments[0]));

    if (r < 0)
        return r;
    for (size_t i = 0; i < header->e_phnum; i++) {
        const Elf64_Phdr *segment = &segments[i];
        uint64_t end = segment->p_vaddr + segment->p_memsz;

        if (segment->p_type == PT_DYNAMIC)
            dynamic = segment;
        if (segment->p_type != PT_LOAD || end < segment->p_vaddr)
            continue;
        low = segment->p_vaddr < low ? segment->p_vaddr : low;
        high = end > high ? end : high;
    }
    if (!dynamic || low >= high)
        return -ENOENT;
    /* the header is at the start of the first page that is loaded */
    image->bias = image->base - (low & ~(uint64_t)4095);
    image->start = image->base;
    image->end = image->bias + high;
    *ret_dynamic = *dynamic;
    return 0;
}

/* The linker that loaded it may have put the addresses in order in place (glibc), or not (musl, and
 * read-only sections). */
static uint64_t
relocated(const struct image *image, uint64_t address)
{
    return address >= image->start && address < image->end ? address : address + image->bias;
}

static void
take_entry(struct image *image, const Elf64_Dyn *entry)
{
    uint64_t address = relocated(image, entry->d_un.d_ptr);

    switch (entry->d_tag) {
    case DT_SYMTAB:
        image->symbols = address;
        break;
    case DT_STRTAB:
        image->strings = address;
        break;
    case DT_STRSZ:
        image->strings_size = entry->d_un.d_val;
        break;
    case DT_GNU_HASH:
        image->gnu_hash = address;
        break;
    case DT_HASH:
        image->hash = address;
        break;
    default:
        break;
    }
}

static int
read_dynamic(struct image *image, const Elf64_Phdr *segment)
{
    Elf64_Dyn entries[DYNAMIC_MAX];
    size_t count = segment->p_memsz / sizeof(entries[0]);
    int r;

    if (count > DYNAMIC_MAX)
        count = DYNAMIC_MAX;
    r = memory_read(
        &image->memory, image->bias + segment->p_vaddr, entries, count * sizeof(entries[0]));
    if (r < 0)
        return r;
    for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++)
        take_entry(image, &entries[i]);
    if (!image->symbols || !image->strings || image->strings_size > STRINGS_MAX ||
        (!image->gnu_hash && !image->hash))
        return -ENOENT;
    return 0;
}

int
image_open(const struct memory *memory, uint64_t base, struct image *ret_image)
{
    struct image image = {.memory = *memory, .base = base};
    Elf64_Ehdr header;
    Elf64_Phdr dynamic;
    int r = read_header(memory, base, &header);

    if (r == 0)
        r = read_segments(&image, &header, &dynamic);
    if (r == 0)
        r = read_dynamic(&image, &dynamic);
    if (r < 0)
        return r;
    image.machine = header.e_machine;
    *ret_image = image;
    return 0;
}

static bool
is_defined(const Elf64_Sym *symbol)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info);

    return symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0 &&
           (type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE);
}

/* 1: it is the one, 0: it is another. */
static int
check_symbol(const struct image *image, uint64_t index, const char *name, uint64_t *ret_address)
{
    char text[NAME_MAX_BYTES];
    Elf64_Sym symbol;
    size_t size = strlen(name) + 1;
    int r = memory_read(
        &image->memory, image->symbols + index * sizeof(symbol), &symbol, sizeof(symbol));

    if (r < 0)
        return r;
    if (!is_defined(&symbol) || symbol.st_name >= image->strings_size ||
        size > image->strings_size - symbol.st_name)
        return 0;
    r = memory_read(&image->memory, image->strings + symbol.st_name, text, size);
    if (r < 0)
        return r;
    if (memcmp(text, name, size) != 0)
        return 0;
    *ret_address = image->bias + symbol.st_value;
    return 1;
}

static uint32_t
gnu_hash_of(const char *name)
{
    uint32_t hash = 5381;

    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

/* https://flapenguin.me/elf-dt-gnu-hash, and glibc's do_lookup_x: a chain ends with an odd value.
 */
static int
find_gnu(const struct image *image, const char *name, uint64_t *ret_address)
{
    struct {
        uint32_t buckets, first, bloom, shift;
    } head;
    uint32_t hash = gnu_hash_of(name), index, value;
    int r = memory_read(&image->memory, image->gnu_hash, &head, sizeof(head));

    if (r < 0)
        return r;
    if (head.buckets == 0)
        return -ENOENT;
    uint64_t buckets = image->gnu_hash + sizeof(head) + 8ull * head.bloom;
    uint64_t chains = buckets + 4ull * head.buckets;
    r = memory_read(&image->memory, buckets + 4ull * (hash % head.buckets), &index, sizeof(index));
    if (r < 0)
        return r;
    if (index == 0)
        return -ENOENT;
    if (index < head.first)
        return -EBADMSG;
    for (unsigned i = 0; i < CHAIN_MAX; i++, index++) {
        r = memory_read(
            &image->memory, chains + 4ull * (index - head.first), &value, sizeof(value));
        if (r == 0 && (value | 1) == (hash | 1))
            r = check_symbol(image, index, name, ret_address);
        if (r != 0)
            return r < 0 ? r : 0;
        if (value & 1)
            return -ENOENT;
    }
    return -EBADMSG;
}

static uint32_t
sysv_hash_of(const char *name)
{
    uint32_t hash = 0;

    for (; *name; name++) {
        hash = (hash << 4) + (unsigned char)*name;
        uint32_t high = hash & 0xf0000000;
        hash = (hash ^ high >> 24) & ~high;
    }
    return hash;
}

/* System V ABI, chapter 5, "Hash Table". */
static int
find_sysv(const struct image *image, const char *name, uint64_t *ret_address)
{
    struct {
        uint32_t buckets, chains;
    } head;
    uint32_t index;
    int r = memory_read(&image->memory, image->hash, &head, sizeof(head));

    if (r < 0)
        return r;
    if (head.buckets == 0)
        return -ENOENT;
    uint64_t buckets = image->hash + sizeof(head), chains = buckets + 4ull * head.buckets;
    uint64_t next = buckets + 4ull * (sysv_hash_of(name) % head.buckets);
    for (unsigned i = 0; i < CHAIN_MAX; i++) {
        r = memory_read(&image->memory, next, &index, sizeof(index));
        if (r < 0)
            return r;
        if (index == 0)
            return -ENOENT;
        if (index >= head.chains)
            return -EBADMSG;
        r = check_symbol(image, index, name, ret_address);
        if (r != 0)
            return r < 0 ? r : 0;
        next = chains + 4ull * index;
    }
    return -EBADMSG;
}

int
image_symbol(const struct image *image, const char *name, uint64_t *ret_address)
{
    if (strlen(name) >= NAME_MAX_BYTES)
        return -ENAMETOOLONG;
    return image->gnu_hash ? find_gnu(image, name, ret_address)
                           : find_sysv(image, name, ret_address);
}
