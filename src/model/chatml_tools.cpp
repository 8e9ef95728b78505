#include "model/chatml_tools.h"

namespace polyphon {

const char kChatMlToolsTemplate[] = R"jinja(
{%- set with_system = messages[0].role == 'system' %}
{%- if with_system or tools %}
    {{- '<|im_start|>system\n' }}
    {%- if with_system %}
        {{- messages[0].content }}
    {%- endif %}
    {%- if with_system and tools %}
        {{- '\n\n' }}
    {%- endif %}
    {%- if tools %}
        {{- 'You can call these functions, given as JSON, one a line:\n<tools>\n' }}
        {%- for tool in tools %}
            {{- tool | tojson }}
            {{- '\n' }}
        {%- endfor %}
        {{- '</tools>\nTo call a function, write its name and its arguments as JSON:\n' }}
        {{- '<tool_call>\n{"name": "...", "arguments": {...}}\n</tool_call>' }}
    {%- endif %}
    {{- '<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'tool' %}
        {{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response>' }}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant\n' }}
        {%- if message.content %}
            {{- message.content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for call in message.tool_calls %}
                {%- if not loop.first or message.content %}
                    {{- '\n' }}
                {%- endif %}
                {{- '<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}
                {{- call.function.arguments | tojson }}
                {{- '}\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\n' }}
    {%- elif not (loop.first and with_system) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
)jinja";

}  // namespace polyphon
