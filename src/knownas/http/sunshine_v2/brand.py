"""`brandId` in the query: among whose users an external id or an e-mail identity is looked for."""

from knownas.http.call import Call
from knownas.http.decode import InvalidBody
from knownas.identities import InvalidIdentity
from knownas.identities.brands import check_brand


def brand_of(call: Call) -> str | None:
    """The brand that the query names, or None for users of no brand. Raises InvalidBody."""
    brand_id = call.query().get("brandId")
    if brand_id is None:
        return None
    if not isinstance(brand_id, str):
        raise InvalidBody("brandId should be string")
    try:
        return check_brand(brand_id)
    except InvalidIdentity as wrong:
        raise InvalidBody(f"brandId: {wrong}") from None
