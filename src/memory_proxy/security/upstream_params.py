"""The names by which a request could choose LiteLLM's upstream, its credentials or its inner knobs.

Taken from what LiteLLM 1.109.1 refuses or strips itself, and what its SDK reads from a request.
Older versions pass some of them on (GHSA-jh89-88fc-qrfp, GHSA-3frq-6r6h-7j64).
"""

PAYLOAD = frozenset(
    """
    messages input contents content prompt suffix system systemInstruction system_instruction
    instructions query documents prediction text
    tools functions function_call tool_choice tool_resources
    response_format output_format output_config schema json_schema responseSchema response_schema
    responseJsonSchema response_json_schema guided_json structured_outputs grammar
    image images mask file files audio video logit_bias stop attributes filters variables
    prompt_variables
    """.split()
)
"""Members that belong to the conversation: a tool's schema may well have a property `api_key`."""

METADATA = frozenset(("metadata", "litellm_metadata", "client_metadata"))
"""Members whose keys are the client's own, mostly; LiteLLM reads some of them as settings."""

UPSTREAM_PARAMS = frozenset(
    """
    api_base base_url api_key deployment_url user_config model_list litellm_params
    litellm_embedding_config litellm_credential_name litellm_system_prompt
    extra_headers default_headers provider_specific_header proxy_server_request secret_fields
    router_settings_override default_litellm_params ssl_verify use_litellm_proxy
    user_provider_credentials user_api_key_auth_metadata
    use_in_pass_through configurable_clientside_auth_params

    aws_access_key_id aws_secret_access_key aws_session_token aws_region_name aws_session_name
    aws_profile_name aws_role_name aws_web_identity_token aws_sts_endpoint aws_external_id
    aws_session_tags aws_bedrock_runtime_endpoint aws_bedrock_control_plane_endpoint
    aws_bedrock_project_id aws_batch_role_arn aws_workspace_id bedrock_tags
    agentcore_runtime_session_id s3_endpoint_url s3_access_key_id s3_secret_access_key
    s3_bucket_name s3_bucket_owner s3_encryption_key_id s3_output_bucket_name s3_region_name
    sagemaker_base_url
    vertex_credentials vertex_ai_credentials vertex_project vertex_location
    vertex_ai_project vertex_ai_location gcs_bucket_name gcs_path_service_account
    azure_ad_token azure_ad_token_provider azure_password azure_scope azure_username
    oci_signer oci_user oci_fingerprint oci_tenancy oci_key oci_key_file
    watsonx_region_name nvcf_function_id riva_offline fireworks_forward_user_id
    github_copilot_auth_type github_copilot_host github_copilot_user_session chatgpt_auth_file
    anthropic-workspace-id anthropic_workspace_id anthropic_disable_workload_identity_federation
    anthropic_federation_rule_id anthropic_federation_workspace_id anthropic_identity_source
    anthropic_identity_token anthropic_identity_token_file anthropic_issuer_audience
    anthropic_issuer_signing_key_ref anthropic_issuer_subject anthropic_issuer_ttl_seconds
    anthropic_issuer_url anthropic_keycloak_auth_method anthropic_keycloak_client_id
    anthropic_keycloak_client_secret_ref anthropic_keycloak_scope anthropic_keycloak_token_url
    anthropic_organization_id anthropic_service_account_id
    openai_identity_provider_id openai_identity_token_file openai_service_account_id
    token_exchange_audience token_exchange_endpoint token_exchange_profile token_exchange_scope
    valkey_host valkey_port valkey_password valkey_ssl milvus_db_name

    arize_api_key arize_error_sampling_rate arize_space_id arize_space_key
    arize_success_sampling_rate arize_otlp_protocol braintrust_api_key braintrust_host
    braintrust_project dd_agent_host dd_agent_port dd_api_key dd_site humanloop_api_key
    langfuse_environment langfuse_host langfuse_public_key langfuse_secret langfuse_secret_key
    langsmith_api_key langsmith_base_url langsmith_project langsmith_tenant_id lunary_public_key
    newrelic_api_key newrelic_region posthog_api_key posthog_api_url posthog_host
    signoz_ingestion_endpoint signoz_ingestion_key slack_webhook_url turn_off_message_logging
    wandb_api_key weave_project_id

    callbacks service_callback logger_fn litellm_disabled_callbacks litellm_logging_obj
    litellm_trusted_callback_vars standard_logging_object shared_session
    disable_global_guardrails disable_global_guardrail opted_out_global_guardrails
    """.split()
)
"""Dropped wherever they stand outside the payload."""

COMMON_PARAMS = frozenset(
    """
    client_id client_secret tenant_id workspace_id organization headers api_type api_version
    bucket_name region_name use_ssl rust model_info base_model custom_prompt_dict model_alias_map
    cost_per_second cost_per_query tiered_pricing output_vector_size
    regional_endpoint_uplift_multiplier regional_processing_uplift_multiplier_eu
    regional_processing_uplift_multiplier_us
    """.split()
)
"""Such params too, but words that a client may use for its own ends in metadata."""

PRICE_INFIX = "_cost"
"""In the names of the prices LiteLLM counts a request with; a client does not set its own."""
