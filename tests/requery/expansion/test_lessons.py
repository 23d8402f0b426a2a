"""Lessons are the pipeline's own prompts; what is right comes of the label or of retrieval."""

from dataclasses import replace

import pytest

from requery.errors import ConfigError
from requery.expansion import Expander, ExpansionSettings, VisualQuestion
from requery.expansion.ask import AskModel
from requery.expansion.lessons import AskTeacher, Tuning, make_lessons
from requery.expansion.rewards import gains
from requery.expansion.settings import Drawing
from requery.expansion.teacher import Truth, rewarded, subject, true_answers
from requery.expansion.trace import Trace
from requery.generation import RuleGenerator
from requery.ranking.pseudo_relevance import holds
from tests.requery.expansion.conftest import corpus_of

SETTINGS = ExpansionSettings(drawing=Drawing(temperature=0.0, refine_temperature=0.0))
DEER = "The red deer eats tree bark in winter. Red deer sleep."
CORPUS = corpus_of(
    DEER, "A red deer runs fast.", "The bark beetle eats wood.", "Cars drive.", "Dogs bark at cars."
)
QUESTION = VisualQuestion("q1", "what does this animal eat?", "a large animal in the snow")
TRUTH = Truth(("tree bark", "bark"), (DEER,), holds(["tree bark"]))


def teacher(tuning=Tuning(), settings=SETTINGS, says=None, truths=None):
    model = AskModel(settings, RuleGenerator(says or (lambda prompt: "nothing of use"), "says@1"))
    return AskTeacher(settings, tuning, CORPUS, truths or {"q1": TRUTH}, model)


def by_step(asked):
    return {
        lesson.request.name.removeprefix("q1 ").strip("()"): lesson
        for lesson in make_lessons([QUESTION], asked)[0]
    }


def test_the_subject_is_the_commonest_phrase_that_is_no_answer():
    assert subject("what does this animal eat?", [DEER], ["bark"]) == "red deer"
    assert subject("what does the red deer eat?", [DEER], ["bark"]) != "red deer"
    assert subject("what eats bark?", ["Bark."], ["bark"]) == "" == subject("what?", [], ["bark"])


def test_targets_by_the_label():
    rewrite, expand, refine = (by_step(teacher())[step] for step in ("rewrite", "expand", "refine"))
    assert rewrite.answer == "what does this animal eat? red deer"
    clues = expand.answer.split("\n")
    assert clues[:3] == ["tree bark", "bark", "The red deer eats tree bark in winter."]
    assert len(clues) <= SETTINGS.expansions and len(set(clues)) == len(clues)
    assert refine.answer.startswith("red deer tree bark The red deer eats")
    assert [lesson.longest for lesson in (rewrite, expand, refine)] == [64, 384, 96]
    assert all(lesson.rejected is None for lesson in (rewrite, expand, refine))
    assert by_step(teacher(Tuning(rewriting="name")))["rewrite"].answer == "red deer"


def test_later_prompts_hold_the_right_answers_to_earlier_ones():
    lessons = by_step(teacher())
    expand, refine = (lessons[step].request.turns[0] for step in ("expand", "refine"))
    assert "Rewritten: what does this animal eat? red deer" in expand
    assert f"[1] {DEER}" in expand  # found with the name, which the question lacks
    assert "tree bark" in refine.partition("Clues:")[2]


def test_prompts_are_those_the_pipeline_asks_where_the_model_answers_right():
    """Whoever has learnt every lesson is asked the very same again."""
    lessons = by_step(teacher())
    known = {lesson.request.turns[0]: lesson.answer for lesson in lessons.values()}
    asked = []
    model = RuleGenerator(lambda prompt: asked.append(prompt.turns[0]) or known[prompt.turns[0]], "learnt@1")
    (trace,) = Expander(model, CORPUS, SETTINGS).expand([QUESTION])
    assert sorted(asked) == sorted(known) and trace.rewritten.endswith("red deer")


def test_lines_are_as_short_as_the_pipeline_reads():
    settings = replace(SETTINGS, clue_words=4, line_words=8, expansions=5, window=5)
    long = replace(TRUTH, passages=("The old red deer of the high forest eats tree bark all winter long.",))
    lessons = by_step(teacher(settings=settings, truths={"q1": long}))
    clues = lessons["expand"].answer.split("\n")
    assert 2 < len(clues) <= 5 and max(len(clue.split()) for clue in clues) == 4
    assert len(lessons["refine"].answer.split()) <= 8 and len(lessons["rewrite"].answer.split()) <= 8


def test_a_question_nothing_is_known_of_has_no_lesson():
    nothing = Truth((), (), holds([]))
    assert make_lessons([QUESTION], teacher(truths={"q1": nothing})) == [[]]
    answers_alone = by_step(teacher(truths={"q1": replace(TRUTH, passages=())}))
    assert set(answers_alone) == {"expand", "refine"}  # what it is about is not known


def test_steps_that_are_not_taught_are_the_models():
    lessons = by_step(teacher(Tuning(steps=("expand",)), says=lambda prompt: "what does the stag eat?"))
    assert set(lessons) == {"expand"}
    assert "Rewritten: what does the stag eat?" in lessons["expand"].request.turns[0]


def test_captions_that_are_missing_are_the_models():
    asked = teacher(says=lambda prompt: "a stag")

    class Pictures:
        ids = ("deer.png",)

        def load(self, position):
            return None

        def digest(self, position):
            return "deer"

    images = Pictures()
    bare = replace(QUESTION, caption=None, image=(images, 0))
    lessons = make_lessons([bare], asked)[0]
    assert "Caption: a stag" in lessons[0].request.turns[0] and lessons[0].request.image == (images, 0)


def test_many_samples_of_one_clue_are_a_lesson_each():
    (lessons,) = make_lessons(
        [QUESTION], teacher(Tuning(steps=("expand",)), replace(SETTINGS, mode="samples"))
    )
    assert [lesson.answer for lesson in lessons][:2] == ["tree bark", "bark"]
    assert len({lesson.request.turns for lesson in lessons}) == 1


SAID = {"expand": ["tree bark\ncars", "dogs\ntree bark eats", "drive"], "rewrite": ["dogs", "tree bark"]}


def sampler(prompt):
    step = "expand" if "Write exactly" in prompt.turns[0] else "rewrite"
    return SAID[step][prompt.seed % len(SAID[step])]


def gained(step, samples):
    trace = Trace("q1", QUESTION.question, QUESTION.caption)
    return gains(rewarded(step, trace, TRUTH, CORPUS, SETTINGS), samples)


def test_samples_that_help_are_taught_and_no_others():
    tuning = Tuning(recipe="R2", steps=("expand",), samples=24, temperature=1.0)
    (lesson,) = make_lessons([QUESTION], teacher(tuning, replace(SETTINGS, rewrite=False), sampler))[0]
    lines = ["tree bark", "cars", "dogs", "tree bark eats", "drive"]
    gain = dict(zip(lines, gained("expand", lines), strict=True))
    taught = lesson.answer.split("\n")
    assert set(taught) == {line for line in lines if gain[line] > 0} == {"tree bark", "tree bark eats"}


def test_the_one_rewriting_that_helps_most_is_taught_and_built_on():
    tuning = Tuning(recipe="R2", steps=("rewrite", "expand"), samples=24, temperature=1.0)
    lessons = by_step(teacher(tuning, SETTINGS, sampler))
    assert set(lessons) == {"rewrite"} and lessons["rewrite"].answer == "tree bark"  # then no clue gains


def test_where_no_sample_helps_nothing_is_taught():
    tuning = Tuning(recipe="R2", steps=("rewrite",), samples=4, temperature=1.0)
    settings = replace(SETTINGS, expand=False)
    assert make_lessons([QUESTION], teacher(tuning, settings, lambda prompt: "drive")) == [[]]


def test_preferences_are_between_samples_that_retrieve_unlike():
    tuning = Tuning(recipe="R3", steps=("expand",), samples=24, temperature=1.0)
    (lesson,) = make_lessons([QUESTION], teacher(tuning, replace(SETTINGS, rewrite=False), sampler))[0]
    chosen, rejected = gained("expand", [lesson.answer, lesson.rejected])
    assert chosen > rejected and {lesson.answer, lesson.rejected} <= set(SAID["expand"])


def test_refined_queries_may_be_longer_than_clues():
    words = " ".join(f"w{i}" for i in range(30))
    trace = Trace("q1", QUESTION.question, QUESTION.caption)
    (with_clue,), (without,) = (
        rewarded(step, trace, TRUTH, CORPUS, SETTINGS)([f"tree bark {words}"])
        for step in ("refine", "expand")
    )
    assert with_clue != without


@pytest.mark.parametrize(
    "settings",
    [
        {"recipe": "R4"},
        {"steps": ()},
        {"steps": ("caption",)},
        {"positives": "some"},
        {"rewriting": "all"},
        {"samples": 1},
        {"temperature": 0.0},
        {"beta": 0.0},
        {"warmup": 1.5},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError, match=f"Tuning: {next(iter(settings))}"):
        Tuning(**settings)


def test_an_unknown_step_is_not_taught():
    trace = Trace("q1", QUESTION.question, QUESTION.caption)
    assert true_answers("rewrite", trace, replace(TRUTH, passages=()), SETTINGS) == ()
