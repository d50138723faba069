"""Thousands of sockets, each with little to say: who feeds their streams, who reads them, and who only holds them."""
