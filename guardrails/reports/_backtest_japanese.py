"""The backtest's own words in Japanese, with the same names in braces as in English."""

from __future__ import annotations

JAPANESE = {
    "backtest": "過去記録による検証",
    "backtest_subtitle": "記録済みの回答を {name} {version} に照らして判定し直した結果",
    "draft": "検証対象の規範",
    "against": "比較の基準",
    "against_record": "記録時の判定",
    "against_baseline": "{name} {version}（同じ判定者により、各回答を改めて判定）",
    "judged_by": "判定者",
    "by_rules": "ルールのみ",
    "by_model": "ルール及び {model}",
    "rules_caution": "モデルでなければ判定できない事項について、ルールは何も述べません。述べないことは適合を意味しない"
    "ため、記録時にモデルが指摘した事項は「比較不能」としています。",
    "model_caution": "モデルの判定は毎回同じとは限らず、差異の一部はモデル自体の揺れによる可能性があります。同じ判定者"
    "による比較（--baseline）を行うと区別できます。",
    "replies": "回答",
    "replies_judged": "条件に合う {fits} 件のうち {judged} 件を判定",
    "replies_sample": "判定可能な {usable} 件からの無作為抽出です（シード {seed}）。割合は推定値であり、95%信頼区間"
    "（ウィルソン法）を付しています。",
    "replies_partial": "判定可能な {usable} 件の一部のみを判定しました。割合には、無作為抽出とみなした95%信頼区間"
    "（ウィルソン法）を付していますが、新しい順に判定した回答は無作為抽出ではありません。",
    "left_erased": "対象外（本文が消去済み）：{count} 件",
    "left_commitments": "対象外（本文を保存しない設定、redaction=commitments）：{count} 件",
    "left_interrupted": "対象外（配信が途中で中断）：{count} 件",
    "left_no_reply": "対象外（回答に文章がない。ツール呼出しのみの場合など）：{count} 件",
    "left_untrusted": "対象外（記録後に改変された記録）：{count} 件",
    "left_budget": "対象外（上限に達したため未判定）：{count} 件",
    "used_up_calls": "呼出回数の上限に達しました。",
    "used_up_tokens": "トークン数の上限に達しました。",
    "used_up_seconds": "時間の上限に達しました。",
    "replies_masked": "保存前に一部が伏せられており、保存されたとおりに判定した回答：{count} 件",
    "failed": "{count} 件の回答で判定処理が失敗し、当該部分は判定不能としています。",
    "unread": "本報告書は不完全です。証跡の一部を読み取れなかったため、それより新しい記録のみを対象としています。",
    "recorded_under": "記録時の規範",
    "requests": "呼出し {calls} 回、入力 {tokens_in} トークン、出力 {tokens_out} トークン",
    "cost": "費用",
    "line_newly": "新たに指摘される原則がある回答",
    "line_no_longer": "指摘されなくなる原則がある回答",
    "line_newly_stopped": "新たに送信停止となる回答",
    "line_newly_revised": "新たに修正が必要となる回答",
    "line_newly_released": "原文のまま送信できるようになる回答",
    "line_unknown": "判断できない回答（修正又は停止の原因となった判定を行っていないもの、伏せられた本文に関"
    "するもの、判定処理が失敗したもの）",
    "line_all": "判定した回答の全件",
    "what_becomes": "回答の取扱いの変化",
    "what_note": "「記録時」は最終的な結果、「今回」は原文に対する最初の判定から導かれる取扱いです。今回は修正を行って"
    "いないため、修正が必要とされた回答が、修正の失敗により送信停止となることもあります。",
    "what_note_baseline": "いずれも、原文に対する最初の判定から導かれる取扱いです。今回は修正を行っていないため、修正"
    "が必要とされた回答が、修正の失敗により送信停止となることもあります。",
    "then": "記録時",
    "now": "今回",
    "now_ruling": "今回：{ruling}",
    "ruling_release": "原文のまま送信",
    "ruling_revise": "修正",
    "ruling_block": "送信停止",
    "ruling_unknown": "不明",
    "now_release": "原文のまま送信",
    "now_revise": "修正が必要",
    "now_block": "送信停止",
    "now_unknown": "不明",
    "then_now": "記録時：{then}、今回：{now}",
    "then_as_now": "記録時・今回とも：{now}",
    "kind_newly_flagged": "新たに指摘",
    "kind_no_longer_flagged": "指摘されなくなったもの",
    "kind_not_comparable": "比較不能",
    "kind_undecided": "判定不能",
    "bar_still": "引き続き指摘",
    "bar_newly": "新たに指摘",
    "bar_no_longer": "指摘消滅",
    "bar_not_comparable": "比較不能",
    "bar_undecided": "判定不能",
    "principles_note": "1件の回答は、原則ごとに1件と数えます。「比較不能」は、記録時に指摘した判定者に今回は判定させ"
    "ていないもの、又は保存前に伏せられた本文に関するものです。「判定不能」は、今回判断できなかったもの又は判定処理が失"
    "敗したものです。",
    "mark_new": "新しい原則",
    "mark_new_for": "{count} 件の回答にとって新しい原則",
    "mark_removed": "検証対象の規範にない原則",
    "no_differences": "判定が変わる回答はありません。",
    "count_shown": "{count} 件（うち {shown} 件を掲載）",
    "repeats": "文言が同一のため掲載していない回答：{count} 件",
    "reply": "回答",
    "whole_reply": "回答の全文",
    "gap": "……",
    "found_now": "今回の指摘",
    "found_then": "記録時の指摘",
    "cleared_because": "今回：{reason}",
    "why_unjudged": "記録時に指摘した判定者には、今回は判定させていません。ルールが何も述べないことは、適合を意味しま"
    "せん。",
    "why_masked": "本文は保存前に一部が伏せられています。記録時に指摘された箇所が伏せられている可能性があります。",
    "one_masked": "保存前に一部が伏せられており、保存されたとおりに判定しています。",
    "backtest_notes": "本報告書について",
    "backtest_notes_text": "各回答は、アプリケーションが生成した原文を、その会話及び参照資料とともに、単独で判定してい"
    "ます。利用者がその後どう応じたかは考慮されません。修正は行っておらず、証跡への書込みも行っていません。各記録は自ら"
    "のハッシュ値と照合済みですが、証跡全体が改変されていないことは guardrails audit verify により確認してください。ツ"
    "ール呼出しは改めて判定していません。時刻はすべて協定世界時（UTC）です。目に見えない文字は、{example} のように符号"
    "位置で示しています。本ファイルは表示内容をすべて含み、スクリプトの実行も外部からの読込みも行いません。",
}
