"""`mlx-pool doctor`: facts are gathered in one place each, and judged by plain functions: each verdict is tested.

gather ──► Server · Exposure · Machine · surveys ──► judge ──► Finding: ok, warn or bad, a sentence, what to do
"""
