from support.documented import every_answer_is_documented

__all__ = ["every_answer_is_documented"]
