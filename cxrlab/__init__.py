"""Does a chest X-ray model that works at home still work at another hospital, and if not, why?"""

__version__ = "0.1.0"
