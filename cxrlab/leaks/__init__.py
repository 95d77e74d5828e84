"""Which sites share images or patients: by name, by patient, by pixels; and whether a study may go on."""
