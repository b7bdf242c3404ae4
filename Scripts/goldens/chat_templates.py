r"""Writes the golden files of ChatTemplatesTests.

    python Scripts/goldens/chat_templates.py [FOLDER]

Tests/ChatTemplatesTests/Goldens/templates.json: chat templates as models carry them, and what Jinja makes of conversations with them.
Tests/ChatTemplatesTests/Goldens/expressions.json: small templates, one feature each, and what Jinja makes of them; null where it refuses.
With FOLDER, its *.jinja files are rendered too, into FOLDER/templates.json; the tests read it where TINYALIGN_CHAT_TEMPLATES names it.

Jinja is set up as transformers' apply_chat_template does it (sandbox, trim_blocks, lstrip_blocks, loop controls, tojson without escapes,
generation blocks without effect). Written with jinja2 3.1.6.
"""

import json
import sys
from datetime import datetime
from pathlib import Path

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

GOLDENS = Path(__file__).resolve().parents[2] / "Tests" / "ChatTemplatesTests" / "Goldens"
NOW = datetime(2024, 3, 5, 17, 4, 9)  # a Tuesday


class Generation(jinja2.ext.Extension):
    """{% generation %} marks what the assistant says; here its body alone counts."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    result = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    result.filters["tojson"] = tojson
    result.globals["raise_exception"] = raise_exception
    result.globals["strftime_now"] = NOW.strftime
    return result


ENVIRONMENT = environment()


def render(template, messages, generation, bos, eos):
    try:
        return ENVIRONMENT.from_string(template).render(
            messages=messages, add_generation_prompt=generation, bos_token=bos, eos_token=eos, tools=None, documents=None)
    except Exception:
        return None


def turns(*pairs):
    return [{"role": role, "content": content} for role, content in pairs]


CONVERSATIONS = [
    turns(("user", "Hello")),
    turns(("system", "You are a pirate."), ("user", "Who are you?")),
    turns(("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello!"), ("user", "Tell me a story.")),
    turns(("user", "Hi"), ("assistant", "Hello!"), ("user", "And?"), ("assistant", "Nothing.")),
    turns(("user", " \n padded \t\n"), ("assistant", "  yes  "), ("user", "no\r\n")),
    turns(("user", "Größe 猫 😀 e\u0301 \u00a0\u2003 „so“"), ("assistant", "ﬁn İ ß Σ"), ("user", "\u200d<|im_end|> {{ x }} {% y %}")),
    turns(("user", "")),
    turns(("system", ""), ("user", "x")),
    turns(("assistant", "I begin."), ("user", "Do you?")),
    turns(("user", "a"), ("user", "b")),
    turns(("user", "a"), ("tool", "{\"b\": 1}"), ("assistant", "c"), ("system", "late")),
    turns(("user", "What is 2+2?"), ("assistant", "<think>\neasy\n</think>\n\n4"), ("user", "<think>\"quotes\" & 'more' \\ back")),
]

# Formats that models are trained with, and one of ours.
TEMPLATES = {
    "SmolLM2": ("<|im_start|>", "<|im_end|>", r"{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}".replace(r"\n", "\n")),
    "ChatML": ("", "<|im_end|>", r"{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"),
    "Llama 2": ("<s>", "</s>", r"{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"),
    "Zephyr, TinyLlama": ("<s>", "</s>", "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"),
    "Mistral": ("<s>", "</s>", "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"),
    # Ours: what larger templates use, in one place.
    "features": ("<s>", "</s>", r"""{#- A comment. -#}
{%- set ns = namespace(system='', count=0, seen=[]) %}
{%- for message in messages if message.role == 'system' %}{% set ns.system = ns.system ~ message.content %}{% endfor %}
{%- macro turn(role, content, end='</turn>') -%}
    <turn:{{ role | upper }}>{{ content | trim }}{{ end }}
{%- endmacro %}
{%- set today = strftime_now("%d %B %Y") if strftime_now is defined else "today" %}
{{- bos_token }}{{ today }} {{ messages | length }}
{%- if ns.system and ns.system is string %} [{{ ns.system }}]{% elif not ns.system %} []{% endif %}

{% for message in messages | rejectattr('role', 'in', ['system', 'tool']) %}
    {% if message['role'] is not in ['user', 'assistant'] %}
        {{ raise_exception('Unknown role ' ~ message['role']) }}
    {% endif %}
    {% set content = message.content.split('</think>')[-1].lstrip('\n') %}
    {% if not content.strip() %}
        {% continue %}
    {% elif loop.index > 3 %}
        {% break %}
    {% endif %}
    {{ turn(message.role, content) }}
    {% generation %}{{ loop.index }}/{{ loop.length }}{% if loop.last %}!{% endif %}{% endgeneration %}

    {% set ns.count = ns.count + 1 %}
    {% set ns.seen = ns.seen + [message.role] %}
{% else %}
nothing
{% endfor %}
{{ ns.seen | tojson }} {{ {'count': ns.count, 'last': messages[-1].role, 'none': none} | tojson(indent=2) }}
{%- if add_generation_prompt %}{{ turn('assistant', '', end='') }}{% else %}{{ eos_token }}{% endif %}
"""),
}


def cases(template, bos, eos):
    return [
        {"messages": messages, "generation": generation, "text": render(template, messages, generation, bos, eos)}
        for messages in CONVERSATIONS
        for generation in (True, False)
    ]


# One feature each.
EXPRESSIONS = r"""
plain text
{{ 1 }}{{ -1 }}{{ 1 + 2 * 3 }}{{ (1 + 2) * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ -2 ** 2 }}
{{ 7 / 2 }} {{ 4 / 2 }} {{ 1.5 + 1 }} {{ 0.1 + 0.2 }} {{ 1e16 }} {{ 1e15 }} {{ 123456789.0 * 1000000000.0 }} {{ 1e-4 }} {{ 1e-5 }} {{ 3.0 }} {{ -0.0 }} {{ 2.5 // 1 }} {{ -2.5 % 2 }}
{{ 5 - 2 - 1 }} {{ 2 * 3 / 4 }} {{ 100 // 7 // 2 }} {{ 1_000 }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ 'a' + 1 }}
{{ 'a' ~ 1 ~ none ~ true ~ 1.0 ~ undefined_name ~ [1, 'b'] }}
{{ 'ab' * 3 }}{{ 2 * 'x' }}{{ 'ab' * 0 }}{{ 'ab' * -1 }}{{ [1, 2] * 2 }}
{{ [1] + [2] }} {{ (1,) + (2,) }}
{{ [1] + (2,) }}
{{ true + 1 }} {{ true }} {{ false }} {{ none }} {{ True }} {{ False }} {{ None }}
{{ not true }} {{ not 0 }} {{ not '' }} {{ not not 1 }} {{ not 1 == 2 }}
{{ 1 and 2 }} {{ 0 and 2 }} {{ 0 or 'x' }} {{ '' or none }} {{ 1 or undefined_name.x }} {{ 1 and 0 or 3 }}
{{ 1 < 2 }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ 'B' < 'a' }} {{ [1, 2] < [1, 3] }} {{ 1 == 1.0 }} {{ true == 1 }} {{ '1' == 1 }} {{ none == false }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ 1 != 2 }} {{ 2 >= 2 }} {{ 2 <= 1 }} {{ 3 > 2 > 1 }} {{ 'é' == 'é' }} {{ 'é' == 'é' }}
{{ 'a' in 'cat' }} {{ '' in 'cat' }} {{ 'x' not in 'cat' }} {{ 1 in [1, 2] }} {{ 'k' in {'k': 1} }} {{ 1 in {'k': 1} }} {{ 3 not in (1, 2) }} {{ 'a' in undefined_name }}
{{ 1 in 'a' }}
{{ 1 in 5 }}
{{ 'yes' if 1 else 'no' }} {{ 'yes' if 0 else 'no' }} {{ 'yes' if 0 }} {{ 'a' if 0 else 'b' if 0 else 'c' }} {{ ('a' if 1 else 'b') ~ 'c' }}
{{ undefined_name }}|{{ undefined_name is defined }}|{{ undefined_name | length }}|{{ undefined_name | default('d') }}|{{ undefined_name == undefined_other }}|{{ not undefined_name }}|{{ undefined_name | list }}|{{ undefined_name | upper }}
{{ undefined_name.x }}
{{ undefined_name['x'] }}
{{ undefined_name() }}
{{ undefined_name + 1 }}
{{ -undefined_name }}
{{ undefined_name < 1 }}
{{ none.x is defined }} {{ (1).x is defined }} {{ 'abc'.nope is defined }} {{ {}.x is defined }} {{ [].x is defined }} {{ [][0] is defined }}
{{ {}.x.y }}
{{ none.x.y }}
{{ messages[0].role }} {{ messages[0]['content'] }} {{ messages[-1].role }} {{ messages[99] is defined }} {{ messages[0].nope is defined }} {{ messages.0.role }}
{{ messages[0] }} {{ messages | length }} {{ messages[0] | length }}
{{ messages[0].__class__ }}
{{ messages[99].role }}
{{ 'hello'[0] }}{{ 'hello'[-1] }} {{ 'hello'[1:3] }} {{ 'hello'[:-1] }} {{ 'hello'[::-1] }} {{ 'hello'[::2] }} {{ 'hello'[10:] }}| {{ 'hello'[-3:] }} {{ 'hello'[3:1] }}| {{ 'hello'[4:0:-2] }} {{ 'hello'[-100:100] }}
{{ [1,2,3,4][1:] }} {{ [1,2,3][:2] }} {{ (1,2,3)[::-1] }} {{ [1,2,3][5:] }} {{ [1,2,3][-2:-1] }} {{ range(10)[2:4] | list }}
{{ '猫😀é'[1] }} {{ '猫😀é'[::-1] }} {{ '猫😀é' | length }} {{ 'é' | length }}
{{ 'abc'[none:2] }} {{ 'abc'['x'] is defined }}
{{ 'abc'[::0] }}
{{ [1, 'a', "b'c", 'd"e', 'f\'"g', none, true, 1.5, [2], {'k': 'v'}, (1,), (), (1, 2)] }}
{{ ['\n\t\\', '\x00\x7f', 'é猫😀', '\u200b\u00a0'] }}
{{ {'a': 1, 'b': [1, 2], 3: none, (1, 2): 'x', none: 1} }} {{ {} }} {{ [] }} {{ {'a': 1, 'a': 2} }} {{ {1: 'a', true: 'b', 1.0: 'c'} }}
{{ {[1]: 2} }}
{{ 'a\'b' }} {{ "a\"b" }} {{ 'tab\there' }} {{ 'new\nline' }} {{ 'back\\slash' }} {{ '\x41\u0042\U00000043\104' }} {{ 'unknown\q' }} {{ 'a' 'b' "c" }}
{{ 'x'.upper() }} {{ 'ABC'.lower() }} {{ 'hello wORLD it\'s'.title() }} {{ 'hELLO'.capitalize() }} {{ 'straße ŉ ﬁ'.upper() }} {{ 'İ'.lower() | length }} {{ 'ǆ x'.title() }} {{ 'ǆx'.capitalize() }}
{{ '  x '.strip() }}|{{ '  x '.lstrip() }}|{{ '  x '.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.strip('ab') }}|{{ ' x\u00a0\u2003\u001c'.strip() }}|{{ '\ufeffx'.strip() | length }}
{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a b c'.split(' ', 1) }} {{ 'a b c'.split(maxsplit=1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a<>b<>c'.split('<>') }} {{ 'abc'.split('x') }} {{ '  a  b  c '.split(none, 1) }} {{ 'aaa'.split('aa') }}
{{ 'a,b,c'.rsplit(',', 1) }} {{ 'a b c'.rsplit(' ', 1) }} {{ ' a b  c '.rsplit(maxsplit=1) }} {{ 'a,b'.rsplit(',') }} {{ 'a--b---c'.rsplit('--', 1) }}
{{ 'abc'.split('') }}
{{ 'a\nb\r\nc\rd'.splitlines() }} {{ ''.splitlines() }} {{ 'a\n'.splitlines() }} {{ '\n\n'.splitlines() }}
{{ 'hello'.startswith('he') }} {{ 'hello'.endswith('lo') }} {{ 'hello'.startswith(('x', 'h')) }} {{ 'hello'.endswith(('x', 'y')) }} {{ ''.startswith('') }} {{ 'a'.startswith('abc') }}
{{ 'hello'.startswith(1) }}
{{ 'hello'.startswith(['h']) }}
{{ 'aXbXc'.replace('X', '--') }} {{ 'aXbXc'.replace('X', '', 1) }} {{ 'abc'.replace('', '-') }} {{ 'abc'.replace('', '-', 2) }} {{ 'abc'.replace('z', 'y') }} {{ 'aaa'.replace('aa', 'b') }} {{ 'abc'.replace('b', 'é猫', -1) }}
{{ 'hello'.find('l') }} {{ 'hello'.rfind('l') }} {{ 'hello'.find('z') }} {{ '猫x'.find('x') }} {{ 'hello'.count('l') }} {{ 'aaaa'.count('aa') }} {{ 'abc'.count('') }} {{ 'abc'.find('') }} {{ 'abc'.rfind('') }}
{{ ','.join(['a', 'b']) }} {{ ','.join([]) }} {{ ''.join('abc') }}
{{ ','.join([1]) }}
{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.txt'.removesuffix('.txt') }} {{ 'x'.removeprefix('y') }}
{{ '12'.isdigit() }} {{ ''.isdigit() }} {{ 'a1'.isalpha() }} {{ 'ab猫'.isalpha() }} {{ ' \t'.isspace() }} {{ 'AB1'.isupper() }} {{ 'ab'.islower() }} {{ '1'.isupper() }} {{ '²'.isdigit() }}
{{ 'x'.zfill_nope() }}
{{ 'x'.strip(1) }}
{{ {'a': 1}.items() | list }} {{ {'a': 1}.keys() | list }} {{ {'a': 1}.values() | list }} {{ {'a': 1}.get('a') }} {{ {'a': 1}.get('b') }} {{ {'a': 1}.get('b', 2) }} {{ {'items': 1}.items is callable }} {{ {'items': 1}['items'] }}
{{ {'a': 1}.update({'b': 2}) }}
{{ [1].append(2) }}
{{ ' x ' | trim }}|{{ 'xax' | trim('x') }}|{{ 12 | trim }}|{{ 'abc' | length }}|{{ [1,2] | count }}|{{ {'a': 1} | length }}
{{ 5 | length }}
{{ none | length }}
{{ 'aBc' | upper }} {{ 'aBc' | lower }} {{ 'hello wORLD it\'s (x) [y] <z>-a{b' | title }} {{ 'hELLO' | capitalize }} {{ 5 | upper }} {{ none | lower }}
{{ 'a' | default('b') }} {{ '' | default('b') }}| {{ '' | default('b', true) }} {{ none | default('b') }} {{ none | d('b', boolean=true) }} {{ undefined_name | default }}| {{ undefined_name | default(default_value='q') }}
{{ [1, 2, 3] | first }} {{ [1, 2, 3] | last }} {{ 'abc' | first }} {{ 'abc' | last }} {{ [] | first }}| {{ [] | last is defined }} {{ {'a': 1} | first }}
{{ 'abc' | list }} {{ {'a': 1} | list }} {{ (1, 2) | list }}
{{ 5 | list }}
{{ [3, 1, 2] | reverse | list }} {{ 'abc' | reverse }} {{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ [3, 1, 2] | sort(reverse=true) }} {{ [{'a': 2, 'b': 'x'}, {'a': 1, 'b': 'y'}] | sort(attribute='a') }} {{ [1, 2, 1] | unique | list }} {{ ['a', 'A'] | unique | list }}
{{ [1, 'a'] | sort }}
{{ ['a', 'b'] | join }} {{ ['a', 'b'] | join(', ') }} {{ [1, none, 2.5] | join('-') }} {{ [{'x': 1}, {'x': 2}] | join(',', attribute='x') }} {{ [{'x': 1}] | join(',', 'x') }} {{ 'abc' | join('.') }} {{ undefined_name | join(',') }}
{{ [1, 2, 3] | sum }} {{ [1, 2.5] | sum }} {{ [3, 1] | min }} {{ [3, 1] | max }} {{ ['b', 'A'] | min }} {{ [] | max }}| {{ [] | sum }}
{{ -5 | abs }} {{ (-5) | abs }} {{ -5.5 | abs }}
{{ '12' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ 3.9 | int }} {{ -3.9 | int }} {{ '3.9' | int }} {{ ' 4 ' | int }} {{ true | int }} {{ none | int }} {{ '+5' | int }} {{ '12' | float }} {{ 'x' | float }} {{ '1e3' | float }} {{ 3 | float }} {{ 'x' | float(1.5) }}
{{ 5 | string }} {{ none | string }} {{ [1] | string }} {{ 5 | string | length }} {{ 'x' | safe }}
{{ 'a b a' | replace('a', 'c') }} {{ 'aaa' | replace('a', 'b', 2) }}
{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb' | indent(2, blank=true) }}|{{ 'a\nb' | indent('> ') }}|{{ 'a\nb' | indent(width=1, first=true) }}
{{ {'b': 1, 'a': 2} | dictsort }} {{ {'b': 1} | items | list }} {{ {'b': 1, 'C': 2, 'a': 3} | dictsort }}
{{ messages | map(attribute='role') | list }} {{ ['a', 'b'] | map('upper') | list }} {{ ['a', 'b'] | map('replace', 'a', 'x') | join }} {{ [{'a': {'b': 1}}, {'a': {}}] | map(attribute='a.b') | list | length }} {{ [{'a': 1}, {}] | map(attribute='a', default='n') | list }} {{ [[1, 2], [3, 4]] | map(attribute=1) | list }}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages | rejectattr('role', 'equalto', 'user') | map(attribute='role') | join(',') }} {{ messages | selectattr('nope') | list }} {{ messages | selectattr('role', 'in', ['user']) | list | length }} {{ messages | selectattr('nope', 'defined') | list }} {{ messages | selectattr('nope', 'undefined') | list | length }}
{{ [1, 2, 3, 4] | select('even') | list }} {{ [1, 0, '', 'a'] | select | list }} {{ [1, 'a'] | reject('string') | list }} {{ [1, 2, 3] | select('gt', 1) | list }}
{{ (messages | selectattr('role', 'equalto', 'nobody') | list) is defined }} {{ 'yes' if messages | selectattr('role', 'equalto', 'nobody') else 'no' }} {{ 'yes' if messages | selectattr('role', 'equalto', 'nobody') | list else 'no' }} {{ messages | selectattr('role', 'equalto', 'nobody') | first is defined }}
{{ [{'a': {'b': 1}}, {}] | map(attribute='a.b') | list }}
{{ [{'a': {'b': 1}}, {}] | map(attribute='a.b', default={'b': 2}) | list }}
{{ (messages | map(attribute='role'))[0] }}
{{ messages | map(attribute='role') | length }}
{{ {'a': 1, 'b': [true, none, 1.5, 'x"\\\n\t\u0001é猫<&>\'']} | tojson }}
{{ {'b': 1, 'a': [1, {'c': []}], 'd': {}} | tojson(indent=2) }}
{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ [1e16, 1e-7, 0.5, 3.0, 100000.0] | tojson }} {{ (1, 2) | tojson }} {{ 'x' | tojson }} {{ {1: 2, true: 3, none: 4, 1.5: 5} | tojson }} {{ '\u007f\u2028/' | tojson }}
{{ undefined_name | tojson }}
{{ 1 is defined }} {{ none is none }} {{ 1 is none }} {{ 'a' is string }} {{ 1 is string }} {{ {} is mapping }} {{ [] is mapping }} {{ [] is iterable }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ {} is iterable }} {{ 1 is number }} {{ true is number }} {{ 1.5 is number }} {{ 'a' is number }} {{ [] is sequence }} {{ {} is sequence }} {{ 1 is sequence }} {{ undefined_name is iterable }}
{{ true is true }} {{ 1 is true }} {{ false is false }} {{ 0 is false }} {{ true is boolean }} {{ 1 is boolean }} {{ 1 is integer }} {{ true is integer }} {{ 1.0 is integer }} {{ 1.0 is float }} {{ 1 is float }} {{ range is callable }} {{ 1 is callable }}
{{ 1 is equalto 1 }} {{ 1 is eq 2 }} {{ 1 is ne 2 }} {{ 1 is lt 2 }} {{ 1 is ge(2) }} {{ 2 is even }} {{ 2 is odd }} {{ 4 is divisibleby 2 }} {{ 'a' is in ['a'] }} {{ 'a' is not in ['a'] }} {{ none is not none }} {{ 1 is not defined }} {{ none is sameas none }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 1 is not equalto 1 or true }} {{ not 1 is none }}
{{ 1 is nosuchtest }}
{{ 1 | nosuchfilter }}
{{ nosuchfunction(1) }}
{{ range(3) | list }} {{ range(1, 4) | list }} {{ range(5, 0, -2) | list }} {{ range(0) | list }} {{ range(3, 1) | list }} {{ range(0, 10, 4) | list }}
{{ range(0, 1, 0) | list }}
{{ range(1000000) | list | length }}
{{ dict(a=1, b=2) }} {{ dict({'a': 1}, b=2) }} {{ namespace(a=1).a }} {{ namespace().b is defined }}
{{ strftime_now('%Y-%m-%d %d %b %B %a %A %H:%M:%S %I %p %j %y %%') }}
{{ raise_exception('no') }}
{% if 1 %}a{% endif %}{% if 0 %}b{% else %}c{% endif %}{% if 0 %}d{% elif 1 %}e{% else %}f{% endif %}{% if 0 %}g{% endif %}
{% for x in [1, 2, 3] %}{{ x }}{% endfor %}{% for x in [] %}{{ x }}{% else %}none{% endfor %}{% for x in 'abc' %}{{ x }}.{% endfor %}{% for k in {'a': 1} %}{{ k }}{% endfor %}
{% for x in [1, 2, 3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {{ loop.previtem }}{{ loop.nextitem }} {{ loop.depth }}{{ loop.cycle('a', 'b') }};{% endfor %}
{% for x in [1, 2, 3, 4] if x is even %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% endfor %}{% for x in [1] if x > 1 %}{{ x }}{% else %}empty{% endfor %}
{% for a, b in [[1, 2], [3, 4]] %}{{ a }}-{{ b }} {% endfor %}{% for k, v in {'x': 1, 'y': 2}.items() %}{{ k }}={{ v }} {% endfor %}{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}
{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in none %}{% endfor %}
{% for x in undefined_name %}{{ x }}{% else %}else{% endfor %}
{% for x in [1, 2, 3, 4, 5] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in [1, 2] %}{% for y in [1, 2, 3] %}{% if y == 2 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{{ loop.index }}{% endfor %}
{% break %}
{% for x in [1] %}{% else %}{% break %}{% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 5 %}{{ x }}{% endfor %}{{ x }}
{% for i in [1, 2] %}{{ y is defined }}{% set y = 1 %}{{ y }}{% endfor %}{{ y is defined }}
{% set x = 1 %}{% if 1 %}{% set x = 2 %}{% endif %}{{ x }}{% if 0 %}{% set z = 1 %}{% endif %}{{ z is defined }}
{% set ns = namespace(n=0) %}{% for i in [1, 2, 3] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}{{ ns.missing is defined }}
{% set ns = {'n': 0} %}{% set ns.n = 1 %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d) = (3, 4) %}{{ c }}{{ d }}{% set t = 1, 2 %}{{ t }}
{% set a, b = [1, 2, 3] %}
{% set x %}block {{ 1 + 1 }}{% endset %}{{ x }}{{ x | length }}
{% set x = [1, 2] %}{% set y = x %}{% set x = x + [3] %}{{ x }}{{ y }}
{% set loop = 1 %}{{ loop }}
{% macro m(a, b='x', c=a) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(b=3, a=4) }}{{ m() }}{{ m(1, c=9) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(z=2) }}
{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}{% for x in [5] %}{{ m() }}{% endfor %}
{% macro m() %}{% set x = 2 %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}{{ x }}
{% macro down(n) %}{{ n }}{% if n > 0 %}{{ down(n - 1) }}{% endif %}{% endmacro %}{{ down(4) }}
{% macro m(x) %}  {{ x }}  {% endmacro %}[{{ m(1) | trim }}]{% set y = m(2) %}{{ y is string }}{{ y | length }}
{% generation %}a{{ 1 }}{% endgeneration %}b
{% raw %}{{ x }} {% y %} {# z #}{% endraw %}{{ 1 }}
a{%- raw -%}  b  {%- endraw -%}  c
{# comment #}a{#- another -#}  b{# {{ x }} {% y %} #}c
c  {{- 1 -}}  d  {{ 2 }}  e
a  {%- if 1 -%}  b  {%- endif -%}  c
a  {%+ if 1 %}  b  {% endif +%}  c
{{ {'a': {'b': [1, {'c': 2}]}}.a.b[1]['c'] }} {{ ({'a': 1}).a }} {{ {'}}': '{{'}['}}'] }}
{{ (((((1))))) }} {{ [[[[1]]]] }} {{ - - 1 }} {{ +1 }} {{ -(1 + 2) }} {{ 'a' | upper ~ 'b' }} {{ -1 | abs }} {{ 1 + 2 | abs }}
{{ 'a,b' | replace(',', ' ') | upper | length }} {{ ['x'] | join | upper }} {{ ('a' ~ 'b') | upper }} {{ 'x' is string and 1 is number }}
{{ [1, 2, ] }} {{ (1, ) }} {{ {'a': 1, } }} {{ [] is defined }} {{ () }} {{ (1, 2) }} {{ 1, 2 }}
{{ }}
{{ 1
{% if 1 %}
{% endif %}
{% else %}
{% nosuchtag %}
{% for x in [1] %}
{% if %}{% endif %}
{{ 1 + }}
{{ (1 }}
{{ [1 }}
{{ {'a' 1} }}
{{ 'abc }}
{{ a b }}
{{ 1 2 }}
{{ | upper }}
{{ x. }}
{{ x[ }}
{{ x[] }}
{{ f(a=1, 2) }}
{{ 'a'.upper }}{{
{# never ends
{{ $ }}
{{ 'a' if }}
{% set %}
{% set x %}
{% set 1 = 2 %}
{% for in [1] %}{% endfor %}
{% macro %}{% endmacro %}
{% macro m(a) %}<{{ a }}>{{ caller() }}</{{ a }}>{% endmacro %}{% call m('b') %}in{{ 1 + 1 }}{% endcall %}
{% macro m() %}{% for x in [1, 2] %}{{ caller(x, y=x * 2) }};{% endfor %}{% endmacro %}{% call(x, y) m() %}{{ x }}-{{ y }}{% endcall %}
{% macro m() %}{{ caller() }}{{ x is defined }}{% endmacro %}{% for x in [7, 8] %}{% call m() %}{{ x }}{{ loop.index }}{% endcall %}{% endfor %}
{% macro m() %}{{ caller('a') }}{% endmacro %}{% call(x, z='c') m() %}{{ x }}{{ z }}{% endcall %}
{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}
{% macro m() %}{{ caller is defined }}{{ caller }}{% endmacro %}{{ m() }}
{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}
{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{% macro n() %}[{{ caller() }}]{% endmacro %}{% call n() %}deep{% endcall %}{% endcall %}
{% call m %}{% endcall %}
{% call none() %}{% endcall %}
{% macro m(a, b) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, 4, x=5) }}{{ m(b=2, a=1) }}{{ m(1) }}
{% macro m(a) %}{{ a }}{{ kwargs }}{% endmacro %}{{ m(1, a=2) }}
{% macro m(a, b, c='z') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(1, *[2, 3]) }}{{ m(*(1,), **{'b': 2}) }}{{ m(**{'b': 2, 'a': 1}) }}{{ m(1, *[2], c=3) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[1, 2]) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, **{'a': 2}) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(a=1, **{'a': 2}) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[1], 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[1], *[2]) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(**{'a': 1}, *[2]) }}
{{ range(*[1, 4]) | list }}{{ dict(**{'a': 1}) }}{{ 'a-b'.split(*['-']) }}{{ [3, 1] | join(*[',']) }}
{{ range(*5) }}
{{ dict(**[1]) }}
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}
{% set a = 5 %}{% with a = a + 1, b = a %}{{ a }}{{ b }}{% set a = 9 %}{{ a }}{% endwith %}{{ a }}
{% with %}{% set q = 3 %}{{ q }}{% endwith %}{{ q is defined }}
{% with (a, b) = [1, 2] %}{{ a }}{{ b }}{% endwith %}
{% filter upper %}a{{ 'b' }}{% set c = 1 %}{% endfilter %}{{ c is defined }}
{% filter trim | replace('a', 'bb') | upper %}  a-a  {% endfilter %}
{% filter %}x{% endfilter %}
{% set x | upper %}a{{ 'b' }}{% endset %}{{ x }}
{% set x | trim | length %} abc {% endset %}{{ x }}
{% endfor %}
{% if 1 %}{% endfor %}
{% raw %} x
%} }} #} { } {a} {{ '%}' }}{{ '}}' }}{% if '%}' == '%}' %}x{% endif %}
{{ messages[0].content.split('\n')[0].strip().upper()[:3] | lower ~ '!' }}
{{ bos_token }}{{ eos_token }}{{ add_generation_prompt }}{{ tools }}{{ documents is none }}{{ tools is defined }}
{%- for m in messages -%}{{ m.role[0] | upper }}{{ ',' if not loop.last }}{%- endfor -%}
{{ 'abc' is not string }} {{ not ('abc' is string) }} {{ 'b' in 'abc' and 'd' not in 'abc' }} {{ 1 if true else 2 if true else 3 }}
{{ 'x' if messages[0].nope is defined and messages[0].nope is not none else 'y' }}{{ messages[0].get('nope', 'z') }}
{{ 9223372036854775807 }} {{ 1e308 * 10 }} {{ 0 * -1 }} {{ 5 // 0.3 }} {{ 1 == 1 == true }}
"""

# What does not fit on a line.
LONGER = [
    "{% if true %}\nline\n{% endif %}\nnext\n",
    "  {% if true %}  \n  line\n  {% endif %}\n  next",
    "a {% if true %} b {% endif %} c\n",
    "{# two\nlines #}\nx{#- and\nmore -#}\n y",
    "{% for x in [1, 2] %}{% continue %}{% else %}none{% endfor %}",
    "{% for x in [1, 2] %}{{ x }}{% break %}{% else %}none{% endfor %}",
    "{% for x in [1, 2] %}{% if x == 2 %}{% break %}{% endif %}{% else %}none{% endfor %}",
    "x\n   {{ 1 }}\n   {{- 2 }}\n   {{ 3 -}}\n\n   y",
    "{% for x in [1, 2] %}\n  {{ x }}\n{% endfor %}\n",
    "{% for x in [1, 2] -%}\n  {{ x }}\n{%- endfor %}\n",
    "{# one #}\n{# two #}  \n  {# three #}\nrest\n\n",
    "a\r\nb\rc\n{% if 1 %}\r\nd\r\n{% endif %}\r\n",
    "\n\n{% if 1 %}\n\n x\n\n{% endif %}\n\n",
    "{%- if 1 -%}\n\n x \n\n{%- endif -%}\n\n",
    "\t {% set x = 1 %}\t \n{{ x }}",
    "text {% set x = 1 %}\n{{ x }}\n",
    "{{ 1 }}\n{{ 2 }}\n",
    "{{ 'a\nb' }}\n{{ '''' }}",
    "{% set x = [\n  1,\n  2\n] %}\n{{ x\n | length }}",
    "{% raw %}\n  {{ a }}\n{% endraw %}\nb",
    "  {%- raw %}\n  a\n  {%- endraw +%}\n b",
    "{% if 1 %}a{% endif %}\n\n{% if 1 %}b{% endif %}\n c",
    "\u2003{% if 1 %}x{% endif %}\u00a0{%- if 1 -%}\u3000y{% endif %}",
    "{% macro m(a) %}\n<{{ a }}>\n{% endmacro %}\n{{ m(1) }}\n{{ m(2) -}}\nend",
    "", "\n", "\n\n", " ", "{", "}", "{ {", "a{b", "{{ '{{' }}", "{%if 1%}x{%endif%}", "{{1}}", "{#-#}x", "{#--#} x", "a {#- b -#} c",
]


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def main():
    GOLDENS.mkdir(parents=True, exist_ok=True)
    write(GOLDENS / "templates.json", [
        {"name": name, "template": template, "bos": bos, "eos": eos, "cases": cases(template, bos, eos)}
        for name, (bos, eos, template) in TEMPLATES.items()])
    messages = CONVERSATIONS[2]
    write(GOLDENS / "expressions.json", {
        "messages": messages,
        "cases": [
            {"template": template, "text": render(template, messages, True, "<s>", "</s>")}
            for template in EXPRESSIONS.strip("\n").split("\n") + LONGER]})
    for folder in map(Path, sys.argv[1:2]):
        write(folder / "templates.json", [
            {"name": file.name, "template": file.read_text(), "bos": "<s>", "eos": "</s>",
             "cases": cases(file.read_text(), "<s>", "</s>")}
            for file in sorted(folder.glob("*.jinja"))])


main()
