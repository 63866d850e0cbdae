import pytest


@pytest.fixture(scope="session")
def student_sleep():
    """Student 1908, Biometrika 6, p. 20: hours of sleep gained with one isomer more than with the other."""
    return (1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4)
