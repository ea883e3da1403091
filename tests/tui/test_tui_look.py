# SPDX-License-Identifier: MIT
"""What reaches the terminal: colours as asked for, ASCII where nothing else is wanted, no byte of a
hostile name, and a screen that fits at every size."""

import re
import signal
import unicodedata

import pytest

from term import FakeAgent

ESCAPES = re.compile(rb"\x1b(?:\[[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]|[()][\x20-\x7e]|[\x30-\x7e])")


@pytest.fixture(scope="module")
def agent():
    with FakeAgent("--tasks", "60", "--still") as agent:
        yield agent


@pytest.fixture
def hostile():
    with FakeAgent("--tasks", "40", "--still", "--hostile") as agent:
        yield agent


def colours(term):
    """The kinds of colour on the screen: none, "16", "256", "true"."""
    found = set()
    for parameters in re.findall(r"\x1b\[([\d;:]*)m", term.styled()):
        if re.search(r"(?:^|;)[34]8[;:]2", parameters):
            found.add("true")
        elif re.search(r"(?:^|;)[34]8[;:]5", parameters):
            found.add("256")
        elif re.search(r"(?:^|;)(?:[34][0-7]|9[0-7]|10[0-7])(?:;|$)", parameters):
            found.add("16")
    return found


def shown(agent, *options, **keywords):
    term = agent.open(*options, **keywords)
    try:
        term.wait("^ *lag .*[0-9.]+ms")
        term.wait("^[▌>] *[0-9]+ ")
    except BaseException:
        term.close()
        raise
    return term


def test_colours_by_default(agent):
    with shown(agent) as term:
        assert "256" in colours(term) or "true" in colours(term)


@pytest.mark.parametrize("mode, name", [
    ("mono", "tmux-256color"), ("auto", "vt100"), ("16", "vt220")])
def test_no_colours(agent, mode, name):
    with shown(agent, "--color", mode, term=name) as term:
        assert colours(term) == set()
        assert re.search(r"\x1b\[[\d;]*7[;m]|\x1b\[7m", term.styled())  # the selected row is reversed


def test_no_color_in_the_environment(agent):
    with shown(agent, NO_COLOR="1") as term:
        assert colours(term) == set()
    with shown(agent, NO_COLOR="") as term:  # empty counts as not set
        assert colours(term) != set()
    with shown(agent, "--color", "256", NO_COLOR="1") as term:  # the option has the last word
        assert "256" in colours(term)


def test_16_colours(agent):
    with shown(agent, "--color", "16") as term:
        assert colours(term) == {"16"}
    with shown(agent, term="screen") as term:
        assert colours(term) == {"16"}


def test_256_colours(agent):
    with shown(agent, "--color", "256") as term:
        assert "256" in colours(term) and "true" not in colours(term)


@pytest.mark.parametrize("mode", ["auto", "true"])
def test_true_colours(agent, mode):
    """Where terminfo has them; never more than the terminal can."""
    with shown(agent, "--color", mode, term="xterm-direct") as term:
        assert "true" in colours(term)
    with shown(agent, "--color", "true") as term:
        assert "true" not in colours(term)


def test_themes(agent):
    with shown(agent, "--theme", "light") as light, shown(agent) as default:
        assert light.styled() != default.styled()
    with agent.open("--theme", "no-such-theme") as term:
        assert term.end() == 2
        assert "no-such-theme" in term.stderr() and term.stderr().count("\n") == 1


def test_a_theme_with_wrong_lines(agent, tmp_path):
    """The first is said on the screen, all of them on the terminal that comes back."""
    theme = tmp_path / "my.theme"
    theme.write_text("inherit default\nblink\nstyle nobody 1 2\nstyle good 1\n")
    with shown(agent, "--theme", str(theme), cols=120) as term:
        term.wait(r"^ theme my\.theme:2: unknown word: blink \(and 2 more\)")
        term.keys("q")
        assert term.end() == 0
        assert re.findall(r"my\.theme:(\d)", term.stderr()) == ["2", "3", "4"]


def printed(term):
    """What the terminal was sent to show: no escape sequences, no movements."""
    return re.sub(rb"[\r\n\b\x0e\x0f\t]", b"", ESCAPES.sub(b"", term.raw()))


@pytest.mark.parametrize("options, environ", [
    (["--ascii"], {}), ([], {"LC_ALL": "C"}), ([], {"LC_ALL": "", "LANG": "C"}),
    ([], {"LC_ALL": "POSIX"})])
def test_ascii(agent, options, environ):
    with shown(agent, *options, **environ) as term:
        term.keys("Space", "?")
        term.wait("Everywhere")
        term.keys("q", "Enter")
        term.wait("dispatch")
        term.keys("Escape", "x")
        term.wait("Cancel 1 tagged task")
        bad = [byte for byte in printed(term) if not 0x20 <= byte < 0x7F]
        assert bad == []


def test_ascii_of_hostile_names(hostile):
    with shown(hostile, "-s", "id,-", "--ascii") as term:
        assert [byte for byte in printed(term) if not 0x20 <= byte < 0x7F] == []


@pytest.mark.parametrize("name", ["tmux-256color", "xterm-256color", "linux", "vt100"])
def test_hostile_names(hostile, name):
    """Nothing that a terminal acts upon comes through: in the table, the detail, the question, notes."""
    with shown(hostile, "-s", "id,-", cols=132, rows=50, term=name) as term:
        for _ in range(4):
            term.keys("Down", "x")
            term.wait("Cancel 1 task")
            term.keys("Escape")
            term.wait_gone("Cancel 1 task")
        term.keys("Enter")
        term.wait("dispatch")
        term.keys("Escape", "Home", "x")
        term.wait("Cancel 1 task")
        term.keys("Enter")
        term.wait("task 1 ")
        raw = term.raw()
        assert b"\x1b[31mred" not in raw and b"\x07" not in raw
        text = printed(term).decode()
        assert [c for c in text if unicodedata.category(c) == "Cc"] == []
        for banned in "\u202e\u200d\u2028\ufeff":
            assert banned not in text
        # the name is there all the same, with a sign in place of what was dangerous
        assert re.search(r"\N{REPLACEMENT CHARACTER}\[31mred", term.screen())


def test_wide_characters_keep_the_columns(hostile):
    with shown(hostile, "-s", "id,-", cols=132, rows=50) as term:
        lines = [line for line in term.lines() if re.search(r"◇ WAIT|⊘ CNCLD|✓ DONE|✗ FAIL", line)]
        assert len(lines) == 40
        columns = {width(re.match(r".*?(?=◇ WAIT|⊘ CNCLD|✓ DONE|✗ FAIL)", line).group()) for line in lines}
        assert len(columns) == 1
        assert "漢字" in "".join(lines)


def width(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
               for c in text)


@pytest.mark.parametrize("cols, rows", [(80, 24), (200, 60), (40, 10)])
def test_sizes(agent, cols, rows):
    with shown(agent, "-s", "id,-", cols=cols, rows=rows) as term:
        lines = term.lines()
        assert len(lines) == rows
        assert all(lines)  # every line is used: the table fills what header and keys leave
        assert max(width(line) for line in lines) <= cols
        assert any("ID" in line and "NAME" in line for line in lines)
        assert re.match(r"▌ +1 ", next(line for line in lines if line.startswith("▌")))
        term.keys("Enter")
        term.wait("dispatch|awaits|get_order|list_orders")
        term.keys("?")
        term.wait("Everywhere")
        term.keys("q", "Escape", "x")
        term.wait("Cancel")
        assert max(width(line) for line in term.lines()) <= cols


def test_down_to_one_cell_and_back(agent):
    with shown(agent, "-s", "id,-") as term:
        before = table_rows(term.screen())
        for cols, rows in [(40, 10), (3, 3), (1, 1), (2, 60), (200, 1), (1, 1)]:
            term.resize(cols, rows)
            term.keys("Down", "Enter", "?", "q", "Escape", "x", "Escape", "/", "C-u", "Escape", "Up")
            assert term.state("pane_width", "pane_height") == [str(cols), str(rows)]
            assert term.state("alternate_on") == ["1"]
        term.resize(80, 24)
        term.wait(lambda screen: table_rows(screen) == before)
        term.resize(200, 60)
        term.wait(lambda screen: len(table_rows(screen)) == 53)
        term.keys("q")
        assert term.end() == 0
        term.check_restored()


def table_rows(screen):
    return re.findall(r"^[ ▌] *(\d+ \S+) ", screen, re.M)


def test_resized_all_the_time(agent):
    """Many changes of size, with keys between, end in a whole screen."""
    with shown(agent, "-s", "id,-") as term:
        for i in range(40):
            term.resize(20 + 13 * i % 170, 1 + 7 * i % 50)
            term.keys("Down" if i % 3 else "Enter" if i % 2 else "Escape")
        term.keys("Escape")
        term.resize(80, 24)
        term.keys("Escape")
        term.keys("Home")
        # all of it in one look: a late key may still be on its way between two
        term.wait(lambda screen: screen.count("\n") == 23 and screen.endswith("q quit") and
                  "\n▌    1 " in screen and table_rows(screen)[0].startswith("1 "))


def test_redraw(agent):
    """Ctrl-L repairs a screen that something else wrote over."""
    with shown(agent, "-s", "id,-") as term:
        tty = term.state("pane_tty")[0]
        with open(tty, "w") as file:
            file.write("\x1b[5;1H#################################")
        term.wait("^####")
        term.keys("C-l")
        term.wait_gone("####")
        term.wait(r"^ Tasks")
        term.kill(signal.SIGTERM)
        assert term.end() == 0
