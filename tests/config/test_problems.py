"""Every wrong setting is named with its place and its cure, all of them at once."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.config.support import DEMO_MODEL, ONE_MODEL, Workplace


def test_all_problems_are_told_at_once(workplace: Workplace) -> None:
    workplace.write_config(
        "memory_proxy: {prot: 1, recall_deadline_ms: soon}\n"
        "user_id_mappings: {default_user_id: 'a b', header_patern: []}"
    )
    workplace.environ |= {"PROXY_PORT": "70000", "MEMORY_PROXY_STORE": "mysql://db"}

    assert len(workplace.problems(log_level="loud")) == 7


def test_a_named_file_must_exist(workplace: Workplace) -> None:
    problem = workplace.problem(config_path="absent.yaml")

    assert problem.startswith(f"{workplace.folder}/absent.yaml: no such file; name another")


def test_a_file_named_by_the_environment_must_exist_too(workplace: Workplace) -> None:
    workplace.environ["LITELLM_CONFIG"] = "absent.yaml"

    assert "absent.yaml: no such file" in workplace.problem()


def test_a_folder_is_no_config_file(workplace: Workplace) -> None:
    assert "cannot be read: Is a directory" in workplace.problem(config_path=".")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("memory_proxy: {port: 1\nb: [", "line 6, column 2: expected ',' or '}', but got ':'"),
        ("memory_proxy:\n\tport: 1", "line 6, column 1: found character '\\t'"),
        ("a: !include b.yaml", "line 5, column 4: could not determine a constructor"),
        ("a: 2026-13-45", "month must be in 1..12"),
        ("a: *b", "line 5, column 4: found undefined alias"),
        ("---\na: 1", "line 5, column 1: but found another document"),
        ("a: " + "[" * 700, "nested too deeply"),
        ("a: \x01", "special characters are not allowed"),
        ("a: &a [*a]", "a[0] contains itself"),
    ],
)
def test_broken_yaml_is_shown_by_line_and_column(
    workplace: Workplace, text: str, reason: str
) -> None:
    path = workplace.write_config(text)
    problem = "\n".join(workplace.problems())

    assert problem.startswith(f"{path}: is no valid YAML: ")
    assert reason in problem


def test_a_file_in_another_encoding_is_refused(workplace: Workplace) -> None:
    path = workplace.write_config("")
    path.write_bytes("# Größe".encode("utf-16"))

    assert workplace.problem() == f"{path}: is not UTF-8 text"


def test_a_file_must_hold_sections(workplace: Workplace) -> None:
    path = workplace.write_config("- a\n- b", models="")

    assert workplace.problem() == f"{path}: must be a mapping of sections, like `model_list:`"


def test_a_key_that_stands_twice_is_refused_in_any_section(workplace: Workplace) -> None:
    path = workplace.write_config("litellm_settings:\n  drop_params: true\n  drop_params: false\n")

    assert workplace.problem().startswith(
        f"{path}, line 7, column 3: litellm_settings.drop_params: stands here a second time"
    )


def test_anchors_and_merges_are_no_second_keys(workplace: Workplace) -> None:
    workplace.write_config(
        "x: &both {drop_params: true, a: 1}\nlitellm_settings: {<<: *both, a: 2}\n"
    )

    assert workplace.load().usable_models == ("local",)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("memory_proxy: {prot: 1}", "memory_proxy.prot: no such setting; did you mean"),
        ("memory_proxy: {prot: 1}", "did you mean memory_proxy.port?"),
        ("memory_proxy: {config_path: x}", "memory_proxy.config_path: no such setting"),
        ("memory_proxy: [port]", "memory_proxy: must be a mapping of settings"),
        ("memory-proxy: {port: 1}", "memory-proxy: no such section; did you mean memory_proxy?"),
        ("user_id_mapping: {}", "did you mean user_id_mappings?"),
        ("user_id_mappings: {custom_heder: x}", "did you mean 'custom_header'?"),
    ],
)
def test_an_unknown_key_of_ours_gets_the_nearest_known_one(
    workplace: Workplace, text: str, hint: str
) -> None:
    path = workplace.write_config(text)
    problem = workplace.problem()

    assert problem.startswith(f"{path}, line 5: ")
    assert hint in problem


def test_other_programs_sections_are_left_alone(workplace: Workplace) -> None:
    workplace.write_config("router_settings: {num_retries: 2}\nmcp_servers: {}\nwhatever: 1")

    assert workplace.load().port == 8764


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("port", "0", "--port: '0' must be greater than or equal to 1"),
        ("port", "65536", "--port: '65536' must be less than or equal to 65535"),
        ("port", "http", "--port: 'http' must be a valid integer"),
        ("litellm_port", "-1", "--litellm-port: '-1' must be greater than or equal to 1"),
        ("host", "http://localhost", "is no host name or IP address"),
        ("host", "localhost:8764", "is no host name or IP address"),
        ("litellm_base_url", "localhost:4000", "is no HTTP URL"),
        ("litellm_base_url", "http://h:99999", "Port out of range"),
        ("litellm_base_url", "http://h:4000/v1/", "must end before /v1"),
        ("litellm_base_url", "http://u:p@h", "must have no user, query or fragment"),
        ("store", "mysql://h/db", "no store for scheme 'mysql'; have: memory, sqlite"),
        ("store", "memory.db", "no store for scheme ''"),
        ("store", "sqlite://memory.db", "sqlite:///"),
        ("store", "sqlite:///", "sqlite:///"),
        ("store", "sqlite:///x.db?mode=ro", "nothing after the path"),
        ("store", "sqlite:///:memory:", "is written memory://"),
        ("log_level", "loud", "must be 'debug', 'info', 'warning', 'error' or 'critical'"),
        ("json_logs", "perhaps", "must be a valid boolean"),
        ("demo", "perhaps", "must be a valid boolean"),
        ("memory_ttl_seconds", "-1", "must be greater than or equal to 0"),
        ("memory_ttl_seconds", "9" * 30, "must be less than or equal to"),
        ("max_body_bytes", "10MB", "must be a valid integer"),
        ("stop_timeout_s", "inf", "must be"),
        ("upstream_first_byte_timeout_s", "nan", "must be"),
        ("cors_origins", "*", "is no origin"),
        ("cors_origins", "https://a.example/page", "is no origin"),
        ("allowed_hosts", "https://a.example", "is no host name"),
        ("litellm_command", "", "must"),
    ],
)
def test_a_wrong_value_is_shown_with_the_reason(
    workplace: Workplace, name: str, value: str, reason: str
) -> None:
    assert reason in workplace.problem(**{name: value})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("port: true", "memory_proxy.port: True must be a number"),
        ("port: 8764.5", "memory_proxy.port: 8764.5 must be a valid integer"),
        ("port: [1]", "memory_proxy.port: [1] must be a valid integer"),
        ("host: 5", "memory_proxy.host: 5 must be a valid string"),
        ("tls_cert: 5", "memory_proxy.tls_cert: 5 "),
        ("store: {a: 1}", "memory_proxy.store: {'a': 1} must be a valid string"),
        ("cors_origins: 5", "memory_proxy.cors_origins: 5 must be a valid tuple"),
        ("store: os.environ/STORE", "memory_proxy.store: names STORE, which is not set"),
    ],
)
def test_a_wrong_type_in_the_file_is_shown_with_its_line(
    workplace: Workplace, text: str, reason: str
) -> None:
    path = workplace.write_config(f"memory_proxy:\n  {text}\n")

    assert workplace.problem().startswith(f"{path}, line 6: {reason}")


def test_a_wrong_variable_is_shown_by_its_name(workplace: Workplace) -> None:
    workplace.write_dotenv("MAX_CONTEXT_MESSAGES=many")
    workplace.environ["PROXY_PORT"] = "x"

    assert [problem.partition(":")[0] for problem in workplace.problems()] == [
        "environment PROXY_PORT",
        ".env MAX_CONTEXT_MESSAGES",
    ]


def test_an_unknown_override_is_a_problem(workplace: Workplace) -> None:
    assert workplace.problem(prot=1) == "command line: prot: no such setting; did you mean port?"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("{header: user-agent, pattern: '(a', user_id: x}", "'(a' is no RE2 pattern: missing )"),
        ("{header: user-agent, pattern: '(?=a)', user_id: x}", "is no RE2 pattern"),
        ("{header: user-agent, pattern: a, user_id: 'x y'}", "'x y' is no user id"),
        (f"{{header: user-agent, pattern: a, user_id: {'x' * 129}}}", "is no user id"),
        ("{header: user-agent, pattern: a}", "user_id: missing"),
        ("{header: 'user agent', pattern: a, user_id: x}", "is no header name"),
        ("{header: h, pattern: a, user_id: x, patern: b}", "did you mean 'pattern'?"),
    ],
)
def test_a_wrong_user_mapping_is_refused_with_its_line(
    workplace: Workplace, entry: str, reason: str
) -> None:
    path = workplace.write_config(f"user_id_mappings:\n  header_patterns:\n    - {entry}\n")
    problem = workplace.problem()

    assert problem.startswith(f"{path}, line 7: user_id_mappings.header_patterns[0]")
    assert reason in problem


def test_the_two_ports_must_differ(workplace: Workplace) -> None:
    workplace.write_config("memory_proxy: {litellm_port: 9000}")

    assert workplace.problem(port="9000") == (
        "port and litellm_port are both 9000 (command line; config.yaml:"
        " memory_proxy.litellm_port): give each its own"
    )


def test_an_open_bind_needs_a_master_key(workplace: Workplace) -> None:
    workplace.environ["PROXY_HOST"] = "0.0.0.0"
    assert "host 0.0.0.0 (environment PROXY_HOST) is open" in workplace.problem()
    assert "set LITELLM_MASTER_KEY" in workplace.problem()
    workplace.environ["LITELLM_MASTER_KEY"] = "sk-chosen"
    assert workplace.load().host == "0.0.0.0"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.9", "::1", "[::1]"])
def test_loopback_needs_none(workplace: Workplace, host: str) -> None:
    assert workplace.load(host=host).listens_on_loopback


def test_litellms_example_key_is_refused(workplace: Workplace) -> None:
    workplace.environ["LITELLM_MASTER_KEY"] = "sk-1234"

    assert "environment LITELLM_MASTER_KEY: LiteLLM refuses to start" in workplace.problem()


def test_two_different_master_keys_are_refused_without_showing_them(workplace: Workplace) -> None:
    workplace.write_config("general_settings: {master_key: sk-in-the-file}")
    workplace.environ["LITELLM_MASTER_KEY"] = "sk-in-the-environment"
    problem = workplace.problem()

    assert "hold different keys" in problem
    assert "sk-in" not in problem


def test_a_master_key_that_names_an_unset_variable_is_refused(workplace: Workplace) -> None:
    path = workplace.write_config("general_settings: {master_key: os.environ/OTHER_KEY}")

    assert workplace.problem() == (
        f"{path}, line 5: general_settings.master_key: names OTHER_KEY, which is not set"
    )


def test_a_master_key_that_names_its_own_variable_may_be_unset(workplace: Workplace) -> None:
    workplace.write_config("general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}")

    assert workplace.load().master_key == ""


def test_launching_litellm_needs_its_url_to_be_ours(workplace: Workplace) -> None:
    workplace.environ["LITELLM_BASE_URL"] = "http://litellm.example.com:4000"

    assert "run `memory-proxy serve`" in workplace.problem(launch_litellm=True)
    workplace.environ["LITELLM_BASE_URL"] = "http://localhost:8765/"
    assert workplace.load(launch_litellm=True).launches_litellm


def test_a_litellm_that_already_runs_needs_its_key_but_no_models_of_ours(
    workplace: Workplace,
) -> None:
    workplace.write_config("", models="")
    workplace.environ["LITELLM_BASE_URL"] = "http://litellm.example.com:4000"

    assert workplace.problem() == (
        "no key for the LiteLLM at http://litellm.example.com:4000: set LITELLM_MASTER_KEY to its"
        " master key"
    )
    workplace.environ["LITELLM_MASTER_KEY"] = "sk-theirs"
    settings = workplace.load()
    assert not settings.launches_litellm
    assert not settings.needs_demo


def test_no_usable_model_is_a_problem(workplace: Workplace) -> None:
    path = workplace.write_config(
        "",
        models="model_list: [{model_name: a, litellm_params: {model: x/a, api_key: os.environ/K}}]",
    )

    assert workplace.problem() == (
        f"{path}: no usable model: set K, or for a trial copy the entry `demo` of the packaged"
        " config.yaml"
    )


def test_the_demo_switched_off_leaves_no_usable_model(workplace: Workplace) -> None:
    workplace.write_config("", models="model_list:" + DEMO_MODEL)

    assert "no usable model: add a model to model_list, or for a trial --demo" in workplace.problem(
        demo=False
    )


def test_a_demo_that_no_model_reaches_is_a_problem(workplace: Workplace) -> None:
    assert "demo is on (command line), but" in workplace.problem(demo=True)


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        ("model_list: {a: 1}", "model_list: must be a list of models"),
        ("model_list: [gpt]", "model_list[0]: needs model_name and litellm_params.model"),
        ("model_list: [{model_name: a}]", "model_list[0]: needs model_name and"),
    ],
)
def test_a_model_list_that_litellm_could_not_read_is_refused(
    workplace: Workplace, models: str, reason: str
) -> None:
    path = workplace.write_config("", models=models)

    assert workplace.problem().startswith(f"{path}, line 1: {reason}")


def test_a_certificate_needs_its_key(workplace: Workplace) -> None:
    assert workplace.problem(tls_cert="a.pem") == (
        "tls_cert (command line) needs tls_key beside it"
    )
    assert workplace.problem(tls_key="a.pem") == "tls_key (command line) needs tls_cert beside it"


def test_a_certificate_must_be_readable(workplace: Workplace) -> None:
    problem = workplace.problem(tls_cert="absent.pem", tls_key="absent.pem")

    assert "cannot be used: [Errno 2] No such file or directory" in problem


def test_what_is_no_certificate_is_refused(workplace: Workplace) -> None:
    (workplace.folder / "a.pem").write_text("nonsense")

    assert "cannot be used" in workplace.problem(tls_cert="a.pem", tls_key="a.pem")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_certificate_with_its_key_is_accepted_and_an_encrypted_key_never_asks(
    workplace: Workplace,
) -> None:
    _make_certificate(workplace.folder, "plain", "-nodes")
    _make_certificate(workplace.folder, "locked", "-passout", "pass:secret")

    assert workplace.load(tls_cert="plain.pem", tls_key="plain.key").tls_cert
    assert "cannot be used" in workplace.problem(tls_cert="locked.pem", tls_key="locked.key")


def _make_certificate(folder: Path, name: str, *options: str) -> None:
    files = ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", "/CN=localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", *files, *options]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


def test_a_dotenv_that_is_no_text_is_a_problem(workplace: Workplace) -> None:
    (workplace.folder / ".env").write_bytes(b"A=\xff\xfe")

    assert workplace.problem().startswith(f"{workplace.folder}/.env: cannot be read")


def test_one_broken_value_does_not_hide_or_invent_others(workplace: Workplace) -> None:
    workplace.write_config("", models=ONE_MODEL)

    assert workplace.problems(port="8765x", litellm_port="8764") == [
        "--port: '8765x' must be a valid integer, unable to parse string as an integer"
    ]


def test_an_unknown_embedder_is_told_with_those_there_are(workplace: Workplace) -> None:
    problem = workplace.problem(embedder="bert")

    assert problem.startswith("--embedder: 'bert' names no embedder: no embedder 'bert'; have: ")
