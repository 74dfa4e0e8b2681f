"""What tests/sdk/python_clients.test.mjs has Python's clients do.

    python_clients.py SCENARIO URL TOKEN MODELS_URL    SCENARIO is the name of a function below

Prints what the scenario returns as JSON.
"""

import json
import sys

from posthog import Posthog


def openfeature(url, token, models):
    from openfeature import api
    from openfeature.contrib.provider.ofrep import OFREPProvider
    from openfeature.evaluation_context import EvaluationContext

    headers = {"Authorization": f"Bearer {token}"}
    provider = OFREPProvider(url, headers_factory=lambda: headers, timeout=60.0)
    api.set_provider(provider)
    client = api.get_client()
    who = EvaluationContext(targeting_key="openfeature", attributes={"email": "p@example.com"})
    found = {
        "on": client.get_boolean_details("on", False, who),
        "off": client.get_boolean_details("off", True, who),
        "staff": client.get_boolean_details("staff", False, who),
        "look": client.get_string_details("look", "default", who),
        "missing": client.get_boolean_details("no-such-flag", True, who),
    }
    return {name: [one.value, one.variant, one.error_code and one.error_code.value] for name, one in found.items()}


def ai(url, token, models):
    from posthog.ai.openai import OpenAI

    posthog = Posthog(token, host=url)
    client = OpenAI(api_key="none", base_url=f"{models}/v1", posthog_client=posthog)
    traced = {
        "posthog_distinct_id": "ai-python",
        "posthog_trace_id": "trace-1",
        "posthog_properties": {"plan": "pro"},
    }
    messages = [{"role": "user", "content": "Was ist ein Igel? 🦔"}]
    chat = client.chat.completions.create(model="gpt-5", messages=messages, **traced)
    streamed = client.chat.completions.create(model="gpt-5", messages=messages, stream=True, **traced)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices)
    client.responses.create(model="gpt-5", input="Was?", **traced)
    client.embeddings.create(model="embed", input="Igel", **traced)
    posthog.shutdown()
    return [chat.choices[0].message.content, text]


def django(url, token, models):
    import posthog
    from django.conf import settings

    posthog.api_key, posthog.host = token, url
    settings.configure(
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=["posthog.integrations.django.PosthogContextMiddleware"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="of a test",
        LOGGING_CONFIG=None,
    )
    import django as framework

    framework.setup()
    from django.test import Client

    visitor = Client(
        raise_request_exception=False,
        headers={
            "X-POSTHOG-DISTINCT-ID": "django-visitor",
            "X-POSTHOG-SESSION-ID": "01a20351-0812-7d72-b3dd-c8f87de2236e",
        },
    )
    statuses = [visitor.get(path).status_code for path in ("/buy", "/fail")]
    posthog.shutdown()
    return statuses


def buy(request):
    import posthog
    from django.http import HttpResponse

    posthog.capture("bought")
    return HttpResponse("ok")


def fail(request):
    return {}["no such shelf"]


class Routes:
    """urlpatterns are made when Django asks for them: before settings are there, they cannot be."""

    def __iter__(self):
        from django.urls import path

        return iter([path("buy", buy), path("fail", fail)])


urlpatterns = Routes()

SCENARIOS = [openfeature, ai, django]

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    chosen = {scenario.__name__: scenario for scenario in SCENARIOS}[name]
    print(json.dumps(chosen(*arguments)))
