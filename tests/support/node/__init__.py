"""Real nodes for tests: containers that ``./onebox node`` prepared, a guest, and front-ends for them."""
