"""`GET /join`: a script that makes a bare machine one of the pool's, and this version's wheel for it.

Nothing of it is a secret, or the pool's: neither needs a key, as the page's files need none.
"""
