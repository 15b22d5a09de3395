"""What domain teams work with: lint, examples as tests, comparison, calibration, backtests, import, sign-off.

Used by the command line and the pytest plugin.
"""
