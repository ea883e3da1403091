/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

#define FFFD "\xEF\xBF\xBD"
#define DOTS "\xE2\x80\xA6"

static void
test_round_trip_of_every_character(void **state)
{
    (void)state;
    for (uint32_t character = 0; character < 0x110000; character++) {
        char bytes[4];
        uint32_t got;
        size_t len = utf8_encode(character, bytes);
        size_t want = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
        assert_int_equal(len, want);
        assert_int_equal(utf8_decode(bytes, len, &got), len);
        if (character >= 0xD800 && character <= 0xDFFF)
            assert_int_equal(got, 0xFFFD);
        else
            assert_int_equal(got, character);
        if (len > 1) {
            /* cut short, it is an invalid byte */
            assert_int_equal(utf8_decode(bytes, len - 1, &got), 1);
            assert_int_equal(got, 0xFFFD);
        }
    }
    char bytes[4];
    assert_int_equal(utf8_encode(0x110000, bytes), 3);
    assert_memory_equal(bytes, FFFD, 3);
}

static void
test_invalid_bytes_are_one_character_each(void **state)
{
    (void)state;
    static const char *const invalid[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFF",
        "\xC3(",
        "\xE2\x82(",
    };
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        uint32_t character = 0;
        assert_int_equal(utf8_decode(invalid[i], strlen(invalid[i]), &character), 1);
        assert_int_equal(character, 0xFFFD);
        assert_int_equal(utf8_prefix(invalid[i], strlen(invalid[i]), 100), 0);
    }
}

static void
test_prefix_does_not_cut_characters(void **state)
{
    (void)state;
    const char *text = "a\xC3\xA9" DOTS "\xF0\x9F\x98\x80z";
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t max = 0; max < sizeof(want) / sizeof(want[0]); max++)
        assert_int_equal(utf8_prefix(text, strlen(text), max), want[max]);
    assert_int_equal(utf8_prefix("ab\xFFz", 4, 10), 2);
}

static void
test_widths(void **state)
{
    (void)state;
    static const struct {
        uint32_t character;
        int width;
    } known[] = {
        {0, 0},
        {'\n', 0},
        {0x1B, 0},
        {' ', 1},
        {'a', 1},
        {0x7F, 0},
        {0x80, 0},
        {0x9F, 0},
        {0xA0, 1},
        {0xAD, 1},
        {0xE9, 1},
        {0x300, 0},
        {0x36F, 0},
        {0x370, 1},
        {0x5D0, 1},
        {0x1100, 2},
        {0x1160, 0},
        {0x200B, 0},
        {0x200D, 0},
        {0x202E, 0},
        {0x2026, 1},
        {0x2581, 1},
        {0x25B6, 1},
        {0x25C7, 1},
        {0x2714, 1},
        {0x3000, 2},
        {0x3042, 2},
        {0x4E00, 2},
        {0x9FFF, 2},
        {0xAC00, 2},
        {0xD7A3, 2},
        {0xFE0F, 0},
        {0xFF01, 2},
        {0xFF61, 1},
        {0xFFFD, 1},
        {0x1F600, 2},
        {0x1F3FB, 2},
        {0x20000, 2},
        {0x3FFFD, 2},
        {0xE0001, 0},
        {0x10FFFF, 1},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_int_equal(utf8_char_width(known[i].character), known[i].width);
    const char *text = "a\xE4\xB8\x80"
                       "e\xCC\x81\xFF";
    assert_int_equal(utf8_width(text, strlen(text)), 1 + 2 + 1 + 0 + 1);
}

static void
assert_copy(size_t size, const char *text, const char *want)
{
    char out[64];
    memset(out, 'X', sizeof(out));
    assert_int_equal(utf8_copy(out, size, text, strlen(text)), strlen(want));
    assert_string_equal(out, want);
    assert_int_equal(out[size], 'X');
}

static void
test_copy(void **state)
{
    (void)state;
    assert_copy(10, "abc", "abc");
    assert_copy(4, "abc", "abc");
    assert_copy(7, "abcdef", "abcdef");
    assert_copy(7, "abcdefg", "abc" DOTS);
    assert_copy(4, "abcd", DOTS);
    assert_copy(3, "abcd", "ab");
    assert_copy(1, "abcd", "");
    assert_copy(8, "a\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", "a\xC3\xA9" DOTS);
    assert_copy(10, "a\xFFz", "a" FFFD "z");
    assert_copy(5, "a\xFFz", "a" DOTS);
    char out[8];
    assert_int_equal(utf8_copy(out, sizeof(out), "a\0b", 3), 5);
    assert_string_equal(out, "a" FFFD "b");
    assert_int_equal(utf8_copy(NULL, 0, "abc", 3), 0);
}

/* Whatever goes in, what comes out is valid, fits, and is no longer than needed. */
static void
test_copy_of_random_bytes(void **state)
{
    (void)state;
    srand(3);
    for (int round = 0; round < 20000; round++) {
        char text[24], out[80];
        size_t n = (size_t)(rand() % 24), size = 1 + (size_t)(rand() % 79);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)(rand() % 4 ? 0x80 + rand() % 0x80 : rand() % 0x80);
        size_t len = utf8_copy(out, size, text, n);
        assert_true(len < size);
        assert_int_equal(strlen(out), len);
        assert_int_equal(utf8_prefix(out, len, len), len);
        if (size > 3 * n)
            assert_true(len < 3 || n == 0 || memcmp(out + len - 3, DOTS, 3) != 0 ||
                        memcmp(text + n - 3, DOTS, 3) == 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_of_every_character),
        cmocka_unit_test(test_invalid_bytes_are_one_character_each),
        cmocka_unit_test(test_prefix_does_not_cut_characters),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_copy_of_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
