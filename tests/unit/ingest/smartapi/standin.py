"""A broker that answers as a script says, in place of the SDK's."""

from pydantic import SecretStr

from ingest.smartapi.credentials import Credentials
from ingest.smartapi.envelope import Answer, Tokens

OK = Answer(ok=True, code=None, message="SUCCESS", data={"fetched": [], "unfetched": []})
CREDENTIALS = Credentials(
    api_key=SecretStr("key-of-nobody"),
    client_code="A123456",
    pin=SecretStr("4711"),
    totp_secret=SecretStr("JBSWY3DPEHPK3PXP"),
    url="http://127.0.0.1:1",
)


def refusal(code, message="no"):
    return Answer(ok=False, code=code, message=message, data=None)


class Here:
    """Makes blocking calls in place."""

    async def call(self, work, timeout_s):
        return work()


class ScriptedBroker:
    """What each kind of call does: an error is raised, an answer given; without a script all is well."""

    def __init__(self, clock):
        self.clock = clock
        self.login_s: list[float] = []
        self.renew_s: list[float] = []
        self.codes: list[str] = []
        self.asked: list[tuple] = []
        self.on_login = self.on_renew = self.on_ask = lambda: None
        self.made = 0

    def __call__(self, credentials, secrets):
        self.credentials = credentials
        return self

    def login(self, client_code, pin, code):
        self.login_s.append(self.clock.monotonic_s())
        self.codes.append(code)
        return self._tokens(self.on_login())

    def renew(self, refresh):
        self.renew_s.append(self.clock.monotonic_s())
        return self._tokens(self.on_renew())

    def ask(self, endpoint, *arguments):
        self.asked.append((endpoint, *arguments))
        found = self.on_ask()
        if isinstance(found, Exception):
            raise found
        return found or OK

    def logout(self, client_code):
        return OK

    def _tokens(self, found):
        if isinstance(found, Exception):
            raise found
        self.made += 1
        return Tokens(
            jwt=f"jwt-{self.made}-secret", refresh=f"refresh-{self.made}", feed=f"feed-{self.made}"
        )
