"""A local stand-in for Cloudflare Pipelines: HTTP streams in, DuckDB tables out.

It behaves towards a sender as the real sink does, bad habits included: rows that break the
stream's schema are answered with 200 and never arrive. See `app.py` for the interface.
"""
