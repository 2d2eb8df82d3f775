"""What tests of the pool share: an open one."""

from collections.abc import AsyncIterator

import pytest

from tests.brokers.pool.wires import small_pool
from workbench.brokers.pool import Pool


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    made = small_pool()
    made.open()
    yield made
    await made.close()
