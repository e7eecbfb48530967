import ast
from pathlib import Path

import ingest
from ingest.smartapi import session

SERVICES = Path(ingest.__file__).resolve().parents[2]
ORDERS = {
    "placeOrder", "placeOrderFullResponse", "modifyOrder", "cancelOrder", "convertPosition", "gttCreateRule",
    "gttModifyRule", "gttCancelRule", "generateTPIN", "verifyDis", "orderBook", "tradeBook", "position", "holding",
    "allholding", "individual_order_details", "make_authenticated_get_request",
}  # fmt: skip
ROUTES = (
    "placeOrder",
    "modifyOrder",
    "cancelOrder",
    "/order/v1/",
    "gtt-service",
    "convertPosition",
    "edis/v1",
)


def test_no_service_names_a_method_of_the_sdk_that_is_about_orders():
    found = [
        f"{path.name}:{node.lineno}: {node.attr}"
        for path in SERVICES.rglob("*.py")
        if ".venv" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ORDERS - {"position", "holding"}
    ]

    assert found == []


def test_no_source_names_a_route_by_which_an_order_could_go():
    smartapi = Path(session.__file__).parent
    texts = {path.name: path.read_text(encoding="utf-8") for path in smartapi.rglob("*.py")}

    assert len(texts) > 5
    assert [(n, r) for n, text in texts.items() for r in ROUTES if r in text] == []


def test_the_session_s_list_of_routes_holds_only_what_reads():
    assert {
        "api.login", "api.token", "api.user.profile", "api.logout", "api.market.data", "api.oi.data",
        "api.optionGreek", "api.putCallRatio",
    } == session._ROUTES  # fmt: skip
