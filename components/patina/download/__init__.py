"""Reads pictures with damage annotations from a folder, the Hugging Face hub or a generator, and believes nothing unchecked."""
