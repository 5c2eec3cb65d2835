"""docs/reference/CONFIGURATION.md, made from the table of settings."""

from memory_proxy.config.settings import Group
from memory_proxy.config.table import TABLE, Setting

_HEAD = """\
# Configuration

<!-- Made by `python -m memory_proxy.config`: change the table in the code, not this page. -->

`memory-proxy check` prints every setting with its value and where that came from, and all that is
wrong, at once. It exits with 0 when all is well and with 2 otherwise; `--json` prints the same for
machines.

## Where values come from

The first of these that has a value wins; an empty environment variable has none:

1. the command line (`--port 9000`)
2. the environment (`MEMORY_PROXY_PORT=9000`), then the file `.env` of the working directory. Where
   two names are listed, the one that begins with `MEMORY_PROXY_` wins over the other.
3. config.yaml, where a setting stands by its name under `memory_proxy:` (`port: 9000`), the master
   key under `general_settings:`, and `config_path` nowhere; `os.environ/NAME` takes a value from
   the environment
4. the default

config.yaml is the file that `--config` or `LITELLM_CONFIG` names, else `config.yaml` of the working
directory, else the one that came with the package. LiteLLM reads the same file. Relative paths in
config.yaml begin at its folder, all others at the working directory. Secrets have no option on the
command line, because other users of a machine can read it.
"""

_TAIL = """\
## Models and providers' keys

`model_list` is LiteLLM's own section. A model is usable when every `os.environ/NAME` in its
`litellm_params` is set, for which `.env` counts too: `OPENAI_API_KEY`, `ANTHROPIC_API_KEY` and
`GEMINI_API_KEY` for the models of the packaged file. Others are a warning; no usable model at all
is a problem. The model whose `api_base` is `os.environ/MEMORY_PROXY_DEMO_URL` is the built-in demo,
launched when no other model is usable, or by `--demo`.

## Whose memory: `user_id_mappings`

| key | default | meaning |
|---|---|---|
| `custom_header` | `x-memory-user-id` | A request with this header belongs to the user it names. |
| `header_patterns` | none | `header`, `pattern` and `user_id` of each: the first pattern found \
in its header decides. Patterns are RE2 and match anywhere unless anchored. |
| `default_user_id` | `default` | Whom all other requests belong to. |

A user id has 1 to 128 letters, digits or any of `. _ @ : + -`.

```yaml
user_id_mappings:
  custom_header: x-memory-user-id
  header_patterns:
    - header: user-agent
      pattern: ^OpenAIClientImpl/Java
      user_id: pycharm
  default_user_id: default
```
"""


def reference_page() -> str:
    return "\n".join([_HEAD, *(_section(group) for group in Group), _TAIL])


def _section(group: Group) -> str:
    rows = [_row(setting) for setting in TABLE.values() if setting.group == group]
    head = "| setting | default | option, environment | meaning |\n|---|---|---|---|"
    return "\n".join([f"## {group}\n", head, *rows, ""])


def _row(setting: Setting) -> str:
    option = setting.flag.replace("--", "--[no-]") if setting.is_switch else setting.flag
    places = "<br>".join(f"`{place}`" for place in (option, *setting.variables) if place)
    is_prose = setting.default == "none" or " " in setting.default
    default = setting.default if is_prose else f"`{setting.default}`"
    return f"| `{setting.name}` | {default} | {places} | {setting.description} |"
