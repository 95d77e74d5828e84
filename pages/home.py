"""Does it travel?"""

from cxrlab.ui import choose, frame

with frame.page("Home", "Does a model that works at home still work at another hospital?"):
    study = choose.study()
