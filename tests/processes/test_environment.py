from memory_proxy.processes.environment import demo_environment, litellm_environment

OURS = {
    "PATH": "/bin",
    "HOME": "/home/ann",
    "LC_ALL": "C",
    "https_proxy": "http://proxy",
    "SSL_CERT_FILE": "/certs",
    "OPENAI_API_KEY": "sk-openai",
    "LITELLM_SALT_KEY": "salt",
    "LITELLM_LOG": "DEBUG",
    "MY_OWN_KEY": "named in the configuration",
    "DATABASE_URL": "postgresql://our-memories",
    "REDIS_URL": "redis://ours",
    "GITHUB_TOKEN": "secret",
    "SUPERMEMORY_API_KEY": "secret",
    "MEMORY_PROXY_HOME": "/ours",
    "PYTHONPATH": "/ours",
    "PYTHONDONTWRITEBYTECODE": "1",
    "LD_PRELOAD": "/lib/spy.so",
}


def test_litellm_gets_what_is_listed_or_named_by_its_configuration_and_nothing_else() -> None:
    theirs = litellm_environment(
        OURS,
        config_text="api_key: os.environ/MY_OWN_KEY\napi_base: os.environ/NOT_SET",
        master_key="sk-master",
        demo_url="http://127.0.0.1:5/v1",
    )

    assert theirs == {
        "PATH": "/bin",
        "HOME": "/home/ann",
        "LC_ALL": "C",
        "https_proxy": "http://proxy",
        "SSL_CERT_FILE": "/certs",
        "OPENAI_API_KEY": "sk-openai",
        "LITELLM_SALT_KEY": "salt",
        "MY_OWN_KEY": "named in the configuration",
        "LITELLM_MASTER_KEY": "sk-master",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_SUPPRESS_STARTUP_OUTPUT": "True",
        "MEMORY_PROXY_DEMO_URL": "http://127.0.0.1:5/v1",
    }


def test_without_a_demo_provider_its_model_reaches_nobody() -> None:
    theirs = litellm_environment({}, config_text="", master_key="sk-master", demo_url=None)

    assert theirs["MEMORY_PROXY_DEMO_URL"] == "http://127.0.0.1:9/v1"


def test_the_demo_provider_gets_no_credential() -> None:
    assert demo_environment(OURS) == {
        "PATH": "/bin",
        "HOME": "/home/ann",
        "https_proxy": "http://proxy",
        "SSL_CERT_FILE": "/certs",
    }
